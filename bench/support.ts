import { cpus, totalmem } from 'node:os';

/** Median of a non-empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle];
  if (high === undefined) throw new RangeError('no values');
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/**
 * Runs the contenders in turn for several rounds and returns the median of each, or what `summary` makes of its rounds.
 * Taking turns lets slow spells of a noisy machine hit all of them; the first round warms up and is not counted.
 */
export async function compare<Name extends string>(
  contenders: Record<Name, () => Promise<number>>,
  rounds: number,
  summary: (values: readonly number[]) => number = median,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const results = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const value = await contenders[name]();
      if (round > 0) results.get(name)?.push(value);
    }
  }
  return Object.fromEntries(names.map((name) => [name, summary(results.get(name) ?? [])])) as Record<Name, number>;
}

/**
 * Like `compare`, for contenders that give several numbers at a time: every counted sample of each, in the order of the
 * rounds, so that ratios can be taken within a round. Who begins changes from round to round.
 */
export async function alternate<Name extends string, Sample>(
  contenders: Record<Name, () => Promise<Sample>>,
  rounds: number,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const sample = await contenders[name]();
      if (round > 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** Median over the rounds of `values` over `references`: what slows a whole round down cancels. */
export function medianRatio(values: readonly number[], references: readonly number[]): number {
  return median(values.map((value, round) => value / (references[round] ?? Number.NaN)));
}

/** One figure: what was measured, what it is compared with, and the goal that the ratio has. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly against: string;
  readonly reference: number;
  readonly unit: string;
  readonly goal?: string;
  /** Where it was taken within each round; else value over reference. */
  readonly ratio?: number;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** What a figure consists of. */
export function printParts(title: string, unit: string, parts: Readonly<Record<string, number>>): void {
  print(`  ${title}`);
  for (const [name, value] of Object.entries(parts)) print(`    ${name.padEnd(48)} ${format(value)} ${unit}`);
}

export function printFigures(title: string, figures: readonly Figure[]): void {
  print(`\n${title}`);
  print(
    `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
  );
  for (const figure of figures) {
    const ratio = figure.ratio ?? figure.value / figure.reference;
    print(
      `  ${figure.name.padEnd(44)} ${format(figure.value)} ${figure.unit}   ${figure.against}: ${format(figure.reference)} ${figure.unit}   ratio ${ratio.toFixed(3)}${figure.goal === undefined ? '' : ` (goal ${figure.goal})`}`,
    );
  }
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
