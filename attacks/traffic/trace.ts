/** What a relay sees of one exchange, in bytes and milliseconds since the request began to arrive. */
export interface Trace {
  readonly requestBytes: number;
  /** What arrived of the answer, as it arrived. */
  readonly arrivals: readonly { readonly at: number; readonly bytes: number }[];
}

/** A trace whose topic the attacker wants to know. */
export interface Labelled {
  readonly trace: Trace;
  /** Whether the topic was the one looked for. */
  readonly positive: boolean;
  /** Prompts that come from one note share a group, and are never on both sides of a split. */
  readonly group: string;
}

/** Sizes and gaps that are looked at one by one. */
const positions = 32;

/**
 * A trace as numbers of one count: totals, times, statistics of sizes and of gaps, then size and gap at each of the first
 * positions. Nothing is left out that a hand could use: what does not tell anything, the classifiers learn to ignore.
 */
export function featuresOf({ requestBytes, arrivals }: Trace): number[] {
  const sizes = arrivals.map(({ bytes }) => bytes);
  const gaps = arrivals.slice(1).map(({ at }, index) => at - (arrivals[index]?.at ?? 0));
  const first = arrivals[0]?.at ?? 0;
  const last = arrivals.at(-1)?.at ?? 0;
  const at = (values: readonly number[], index: number): number => values[index] ?? 0;
  return [
    requestBytes,
    arrivals.length,
    sizes.reduce((sum, size) => sum + size, 0),
    first,
    last,
    last - first,
    at(gaps, gaps.length - 1),
    at(gaps, gaps.length - 2),
    at(sizes, sizes.length - 1),
    at(sizes, sizes.length - 2),
    ...statistics(sizes),
    ...statistics(gaps),
    ...Array.from({ length: positions }, (_, index) => at(sizes, index)),
    ...Array.from({ length: positions }, (_, index) => at(gaps, index)),
  ];
}

/** Mean, deviation, least, quartiles and greatest. */
function statistics(values: readonly number[]): number[] {
  if (values.length === 0) return [0, 0, 0, 0, 0, 0, 0];
  const sorted = values.toSorted((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const quantile = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [mean, Math.sqrt(variance), quantile(0), quantile(0.25), quantile(0.5), quantile(0.75), quantile(1)];
}
