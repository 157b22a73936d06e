import { mutate, randomFrom } from './mutate.ts';

/** One reader under test. Throws, or rejects, only for what no input may cause. */
export type Target = (input: Uint8Array) => void | Promise<void>;

export interface FuzzOptions {
  readonly target: Target;
  /** Counters that the instrumented code increments. */
  readonly coverage: Uint8Array;
  readonly seeds: readonly Uint8Array[];
  readonly seconds: number;
  /** Stops earlier. */
  readonly maxRuns?: number;
  readonly seed: number;
  readonly maxBytes: number;
  /** Told every input before it runs, so that one that hangs or kills the process is known. */
  readonly onInput?: (input: Uint8Array) => void;
  /** Reads the clock, in milliseconds. */
  readonly clock: () => number;
}

export interface FuzzResult {
  readonly runs: number;
  /** Inputs that reached something new, the seeds that did among them. */
  readonly corpus: readonly Uint8Array[];
  /** Places that were reached at least once. */
  readonly places: number;
  readonly slowest: { readonly milliseconds: number; readonly input: Uint8Array };
  readonly finding?: { readonly input: Uint8Array; readonly error: unknown };
}

/** Hits of a place, in the classes that AFL uses, as a bit each. */
const classOf = Uint8Array.from({ length: 256 }, (_, hits) => {
  if (hits <= 3) return [0, 1, 2, 4][hits] ?? 0;
  if (hits < 8) return 8;
  if (hits < 16) return 16;
  if (hits < 32) return 32;
  return hits < 128 ? 64 : 128;
});

/** Runs a target on the seeds and on mutations of whatever reached something new, until the time is up or it fails. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { target, coverage, seeds, seconds, maxRuns = Infinity, maxBytes, onInput, clock } = options;
  const random = randomFrom(options.seed);
  const seen = new Uint8Array(coverage.length);
  const corpus: Uint8Array[] = [];
  let runs = 0;
  let slowest = { milliseconds: 0, input: new Uint8Array() as Uint8Array };
  let finding: FuzzResult['finding'];

  const run = async (input: Uint8Array): Promise<void> => {
    onInput?.(input);
    coverage.fill(0);
    runs += 1;
    const before = clock();
    try {
      // A private copy: a reader that writes into its input must not spoil the corpus.
      const pending = target(Uint8Array.from(input));
      if (pending !== undefined) await pending;
    } catch (error) {
      finding = { input, error };
      return;
    }
    const milliseconds = clock() - before;
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, input };
    let isNew = false;
    for (let place = 0; place < coverage.length; place += 1) {
      const hits = coverage[place] ?? 0;
      if (hits === 0) continue;
      const bit = classOf[hits] ?? 0;
      if (((seen[place] ?? 0) & bit) === 0) {
        seen[place] = (seen[place] ?? 0) | bit;
        isNew = true;
      }
    }
    if (isNew) corpus.push(input);
  };

  const end = clock() + seconds * 1000;
  for (const input of [new Uint8Array(), ...seeds]) {
    await run(input.subarray(0, maxBytes));
    if (finding !== undefined) break;
  }
  const over = (): boolean => finding !== undefined || runs >= maxRuns || clock() >= end;
  while (!over()) {
    // Every other time from the latest third, where the frontier is.
    const recent = Math.floor(corpus.length / 3);
    const index = random(2) === 0 ? corpus.length - 1 - random(recent + 1) : random(corpus.length);
    const other = corpus[random(corpus.length)] ?? new Uint8Array();
    await run(mutate(corpus[index] ?? new Uint8Array(), other, random, maxBytes));
  }
  const places = seen.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0);
  return { runs, corpus, places, slowest, ...(finding === undefined ? {} : { finding }) };
}
