import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { attack, attackers } from './traffic/attack.ts';
import { boostedTrees, logistic } from './traffic/classifiers.ts';
import { promptsFrom } from './traffic/prompts.ts';
import {
  areaUnderPrecisionRecall,
  areaUnderRoc,
  bootstrapInterval,
  precisionAtRecall,
  randomFrom,
  type Scored,
} from './traffic/scores.ts';
import { featuresOf, type Labelled } from './traffic/trace.ts';

// The attack on sizes and times itself (bench/leakage.ts runs it): that it finds what is there, and nothing where nothing is.

const scoredOf = (...pairs: readonly (readonly [number, boolean])[]): Scored[] =>
  pairs.map(([score, positive], index) => ({ score, positive, group: String(index) }));

/** Made-up traffic; `tell` says what the topic does to sizes and times. */
function traffic(options: {
  groups: number;
  each: number;
  tell: (positive: boolean, group: number, random: () => number) => { bytes: number; at: number };
}): Labelled[] {
  const random = randomFrom(3);
  return Array.from({ length: options.groups }, (_, group) => {
    const positive = random() < 0.5;
    return Array.from({ length: options.each }, () => ({
      positive,
      group: `note ${group}`,
      trace: {
        requestBytes: 512,
        arrivals: Array.from({ length: 6 }, (__, index) => {
          const { bytes, at } = options.tell(positive, group, random);
          return { bytes, at: index * 20 + at };
        }),
      },
    }));
  }).flat();
}

describe('scores', () => {
  it('are those of a count by hand', () => {
    const scored = scoredOf([0.9, true], [0.8, false], [0.7, true], [0.1, false]);
    expect(areaUnderRoc(scored)).toBe(0.75);
    expect(areaUnderRoc(scoredOf([1, true], [1, false]))).toBe(0.5);
    // Half of the positives without a false alarm, the other half with half of the negatives: 0.5 * 1 + 0.5 * 2/3.
    expect(areaUnderPrecisionRecall(scored, 0.5)).toBeCloseTo(5 / 6, 12);
    expect(areaUnderPrecisionRecall(scoredOf([1, true], [1, false]), 0.01)).toBeCloseTo(0.01, 12);
    expect(precisionAtRecall(scored, 0.5, 1)).toBeCloseTo(2 / 3, 12);
    expect(precisionAtRecall(scored, 0.0001, 0.5)).toBeLessThan(0.001);
  });

  it('have an interval over groups, wider where a group is many traces', () => {
    const random = randomFrom(5);
    const many = Array.from({ length: 400 }, (_, index) => ({
      score: random(),
      positive: index % 2 === 0,
      group: String(index),
    }));
    const few = many.map((each, index) => ({
      ...each,
      score: many[index % 20]?.score ?? 0,
      group: String(index % 20),
    }));
    const width = (scored: Scored[]): number => {
      const [low, high] = bootstrapInterval(scored, areaUnderRoc, { rounds: 200, random: randomFrom(1) });
      return high - low;
    };
    expect(width(many)).toBeLessThan(0.2);
    expect(width(few)).toBeGreaterThan(1.5 * width(many));
  });
});

describe('classifiers', () => {
  const random = randomFrom(11);
  const rows = Array.from({ length: 600 }, () => [random(), random(), random()]);
  const judged = (learn: typeof logistic, label: (row: readonly number[]) => boolean): number => {
    const positive = rows.map(label);
    const score = learn(rows.slice(0, 400), positive.slice(0, 400));
    return areaUnderRoc(
      rows.slice(400).map((row, index) => ({
        score: score(row),
        positive: positive[400 + index] === true,
        group: String(index),
      })),
    );
  };
  const [line, corners] = [
    ([a = 0, b = 0]: readonly number[]) => a + b > 1,
    ([a = 0, b = 0]: readonly number[]) => a > 0.5 !== b > 0.5,
  ];

  it('find a line, and trees also what no line divides', () => {
    expect(judged(logistic, line)).toBeGreaterThan(0.97);
    expect(judged(boostedTrees, line)).toBeGreaterThan(0.95);
    expect(judged(logistic, corners)).toBeLessThan(0.65);
    expect(judged(boostedTrees, corners)).toBeGreaterThan(0.95);
  });
});

describe('the attack', () => {
  it('finds a topic that shows in sizes, or in times alone', () => {
    const sizes = traffic({
      groups: 60,
      each: 4,
      tell: (positive, _, r) => ({ bytes: positive ? 210 : 205, at: r() }),
    });
    const times = traffic({
      groups: 60,
      each: 4,
      tell: (positive, _, r) => ({ bytes: 1, at: r() * (positive ? 9 : 3) }),
    });
    for (const learn of Object.values(attackers)) {
      expect(areaUnderRoc(attack(sizes, learn, { seed: 1 }))).toBeGreaterThan(0.95);
      expect(areaUnderRoc(attack(times, learn, { seed: 1 }))).toBeGreaterThan(0.85);
      expect(areaUnderRoc(attack(sizes, learn, { seed: 1, share: 0.25 }))).toBeGreaterThan(0.9);
    }
  });

  it('does not take knowing a note for knowing a topic, and finds nothing among permuted labels', () => {
    // Every note has a size of its own, which says nothing about its topic: a split by trace would learn it by heart.
    const notes = traffic({ groups: 80, each: 4, tell: (_, group) => ({ bytes: (group * 7919) % 104_729, at: 0 }) });
    const sizes = traffic({
      groups: 120,
      each: 4,
      tell: (positive, _, r) => ({ bytes: positive ? 210 : 205, at: r() }),
    });
    for (const learn of Object.values(attackers)) {
      expect(Math.abs(areaUnderRoc(attack(notes, learn, { seed: 1 })) - 0.5)).toBeLessThan(0.2);
      expect(Math.abs(areaUnderRoc(attack(sizes, learn, { seed: 1, permute: true })) - 0.5)).toBeLessThan(0.2);
    }
  });

  it('looks at as many numbers in every trace, and asks different notes in both classes', () => {
    const short = featuresOf({ requestBytes: 1, arrivals: [] });
    const long = featuresOf({ requestBytes: 1, arrivals: Array.from({ length: 99 }, (_, at) => ({ at, bytes: at })) });
    expect(short).toHaveLength(long.length);
    expect(short.every(Number.isFinite)).toBe(true);
    const lines = readFileSync(new URL('../models/triage/heldout.jsonl', import.meta.url), 'utf8');
    const made = promptsFrom(lines + lines);
    expect(promptsFrom(lines)).toEqual(made);
    expect(new Set(made.map(({ text }) => text)).size).toBe(made.length);
    expect(made.length).toBeGreaterThan(270);
    const share = made.filter(({ positive }) => positive).length / made.length;
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.6);
  });
});
