/** A score that a classifier gave to a trace it had not seen. */
export interface Scored {
  readonly score: number;
  readonly positive: boolean;
  readonly group: string;
}

/** The chance that a positive trace is scored above a negative one; ties count half. 0.5 is guessing. */
export function areaUnderRoc(scored: readonly Scored[]): number {
  const sorted = scored.toSorted((a, b) => a.score - b.score);
  const positives = scored.filter(({ positive }) => positive).length;
  const negatives = scored.length - positives;
  if (positives === 0 || negatives === 0) return Number.NaN;
  let rankSum = 0;
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (end < sorted.length && sorted[end]?.score === sorted[start]?.score) end += 1;
    const rank = (start + end + 1) / 2;
    for (let index = start; index < end; index += 1) if (sorted[index]?.positive === true) rankSum += rank;
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Thresholds from the strictest, each with the share of positives and of negatives that it lets through. */
function thresholds(scored: readonly Scored[]): { recall: number; falseAlarms: number }[] {
  const sorted = scored.toSorted((a, b) => b.score - a.score);
  const positives = scored.filter(({ positive }) => positive).length;
  const negatives = scored.length - positives;
  const steps: { recall: number; falseAlarms: number }[] = [];
  let [hits, alarms] = [0, 0];
  sorted.forEach(({ positive, score }, index) => {
    if (positive) hits += 1;
    else alarms += 1;
    if (sorted[index + 1]?.score !== score) {
      steps.push({ recall: hits / positives, falseAlarms: alarms / negatives });
    }
  });
  return steps;
}

const precisionAt = (recall: number, falseAlarms: number, baseRate: number): number =>
  (recall * baseRate) / (recall * baseRate + falseAlarms * (1 - baseRate));

/** Average precision where one trace in `1 / baseRate` is positive; `baseRate` itself is guessing. */
export function areaUnderPrecisionRecall(scored: readonly Scored[], baseRate: number): number {
  let area = 0;
  let before = 0;
  for (const { recall, falseAlarms } of thresholds(scored)) {
    area += (recall - before) * precisionAt(recall, falseAlarms, baseRate);
    before = recall;
  }
  return area;
}

/**
 * Precision among one positive in `1 / baseRate`, at the strictest threshold that finds at least `recall` of the positives.
 * No false alarm among n negatives counts as one in n: more than that was not seen.
 */
export function precisionAtRecall(scored: readonly Scored[], baseRate: number, recall: number): number {
  const step = thresholds(scored).find((each) => each.recall >= recall);
  const negatives = scored.filter(({ positive }) => !positive).length;
  if (step === undefined) return Number.NaN;
  return precisionAt(step.recall, Math.max(step.falseAlarms, 1 / negatives), baseRate);
}

/** A generator of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 95% interval of a statistic when whole groups are drawn anew, with replacement. */
export function bootstrapInterval(
  scored: readonly Scored[],
  statistic: (sample: readonly Scored[]) => number,
  options: { readonly rounds: number; readonly random: () => number },
): [number, number] {
  const groups = [...Map.groupBy(scored, ({ group }) => group).values()];
  const values: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const sample = groups.flatMap(() => groups[Math.floor(options.random() * groups.length)] ?? []);
    const value = statistic(sample);
    if (!Number.isNaN(value)) values.push(value);
  }
  values.sort((a, b) => a - b);
  const at = (share: number): number => values[Math.round(share * (values.length - 1))] ?? Number.NaN;
  return [at(0.025), at(0.975)];
}

/** A copy in an order of chance. */
export function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const result = [...values];
  for (let index = result.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}
