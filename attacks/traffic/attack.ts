import { boostedTrees, logistic, type Learn } from './classifiers.ts';
import { randomFrom, shuffled, type Scored } from './scores.ts';
import { featuresOf, type Labelled } from './trace.ts';

/** Two families: one that draws a line, one that does not need any. */
export const attackers: Readonly<Record<string, Learn>> = Object.freeze({
  'logistic regression': logistic,
  'boosted trees': boostedTrees,
});

const folds = 5;

/**
 * Scores of all traces by attackers that had not seen their group: the groups are dealt into five folds, and each is judged by
 * what was learnt from the other four. Scores count by their rank within the fold, as each fold has its own attacker.
 * @param options.share how much of the other folds is learnt from, in whole groups. Default: all
 * @param options.permute deals the labels out anew among the groups first: what is then "found" is chance
 */
export function attack(
  traces: readonly Labelled[],
  learn: Learn,
  options: { readonly seed: number; readonly share?: number; readonly permute?: boolean },
): Scored[] {
  const random = randomFrom(options.seed);
  const groups = shuffled([...new Set(traces.map(({ group }) => group))], random);
  const labels = new Map(traces.map(({ group, positive }) => [group, positive]));
  const dealt = options.permute === true ? shuffled([...labels.values()], random) : undefined;
  const labelOf = new Map([...labels].map(([group, positive], index) => [group, dealt?.[index] ?? positive]));
  const rows = traces.map(({ trace, group }) => ({
    features: featuresOf(trace),
    group,
    positive: labelOf.get(group) === true,
  }));
  const scored: Scored[] = [];
  for (let fold = 0; fold < folds; fold += 1) {
    const tested = new Set(groups.filter((_, index) => index % folds === fold));
    const others = groups.filter((group) => !tested.has(group));
    const learnt = new Set(others.slice(0, Math.ceil(others.length * (options.share ?? 1))));
    const training = rows.filter(({ group }) => learnt.has(group));
    const score = learn(
      training.map(({ features }) => features),
      training.map(({ positive }) => positive),
    );
    const judged = rows.filter(({ group }) => tested.has(group)).map((row) => ({ row, score: score(row.features) }));
    for (const { row, rank } of ranked(judged)) scored.push({ score: rank, positive: row.positive, group: row.group });
  }
  return scored;
}

function ranked<Row>(judged: readonly { row: Row; score: number }[]): { row: Row; rank: number }[] {
  const sorted = judged.toSorted((a, b) => a.score - b.score);
  const ranks = new Map<number, number>();
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (end < sorted.length && sorted[end]?.score === sorted[start]?.score) end += 1;
    ranks.set(sorted[start]?.score ?? 0, (start + end) / 2 / sorted.length);
    start = end;
  }
  return judged.map(({ row, score }) => ({ row, rank: ranks.get(score) ?? 0 }));
}
