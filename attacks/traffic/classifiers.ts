/** Learns from rows of features; gives a score that is higher the likelier a row is positive. */
export type Learn = (rows: readonly (readonly number[])[], positive: readonly boolean[]) => Score;
export type Score = (row: readonly number[]) => number;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Columns brought to mean 0 and deviation 1, far values cut: one stalled trace must not decide. */
function scaling(rows: readonly (readonly number[])[]): (row: readonly number[]) => Float64Array {
  const columns = rows[0]?.length ?? 0;
  const mean = new Float64Array(columns);
  const deviation = new Float64Array(columns);
  for (const row of rows) row.forEach((value, column) => (mean[column] = (mean[column] ?? 0) + value / rows.length));
  for (const row of rows) {
    row.forEach((value, column) => {
      deviation[column] = (deviation[column] ?? 0) + (value - (mean[column] ?? 0)) ** 2 / rows.length;
    });
  }
  return (row) =>
    Float64Array.from(row, (value, column) => {
      const scale = Math.sqrt(deviation[column] ?? 0);
      return scale < 1e-9 ? 0 : Math.max(-5, Math.min(5, (value - (mean[column] ?? 0)) / scale));
    });
}

/** Logistic regression with an L2 penalty, by gradient descent with momentum over all rows. */
export const logistic: Learn = (rows, positive) => {
  const scale = scaling(rows);
  const scaled = rows.map(scale);
  const columns = scaled[0]?.length ?? 0;
  const weights = new Float64Array(columns + 1);
  const speed = new Float64Array(columns + 1);
  const linear = (row: Float64Array): number => {
    let sum = weights[columns] ?? 0;
    for (let column = 0; column < columns; column += 1) sum += (weights[column] ?? 0) * (row[column] ?? 0);
    return sum;
  };
  for (let step = 0; step < 250; step += 1) {
    const gradient = new Float64Array(columns + 1);
    scaled.forEach((row, index) => {
      const error = (sigmoid(linear(row)) - Number(positive[index])) / scaled.length;
      for (let column = 0; column < columns; column += 1) {
        gradient[column] = (gradient[column] ?? 0) + error * (row[column] ?? 0);
      }
      gradient[columns] = (gradient[columns] ?? 0) + error;
    });
    for (let column = 0; column <= columns; column += 1) {
      const penalty = column === columns ? 0 : 0.002 * (weights[column] ?? 0);
      speed[column] = 0.9 * (speed[column] ?? 0) - 0.15 * ((gradient[column] ?? 0) + penalty);
      weights[column] = (weights[column] ?? 0) + (speed[column] ?? 0);
    }
  }
  return (row) => linear(scale(row));
};

interface Node {
  readonly column: number;
  readonly below: number;
  readonly left: Node | number;
  readonly right: Node | number;
}

const bins = 24;
const trees = 80;
const depth = 3;
const rate = 0.15;
const leastRows = 8;
const penalty = 2;

/** Gradient-boosted trees: logistic loss, second-order leaves, splits at quantiles. They find what no line separates. */
export const boostedTrees: Learn = (rows, positive) => {
  const columns = rows[0]?.length ?? 0;
  const edges = Array.from({ length: columns }, (_, column) => quantiles(rows.map((row) => row[column] ?? 0)));
  const binned = edges.map((edge, column) => Uint8Array.from(rows, (row) => binOf(row[column] ?? 0, edge)));
  const scores = new Float64Array(rows.length);
  const forest: (Node | number)[] = [];
  for (let tree = 0; tree < trees; tree += 1) {
    const gradients = Float64Array.from(scores, (score, index) => Number(positive[index]) - sigmoid(score));
    const curvatures = Float64Array.from(scores, (score) => Math.max(1e-6, sigmoid(score) * (1 - sigmoid(score))));
    const grown = grow(Uint32Array.from(rows.keys()), depth, { binned, edges, gradients, curvatures });
    forest.push(grown);
    rows.forEach((row, index) => (scores[index] = (scores[index] ?? 0) + rate * leafOf(grown, row)));
  }
  return (row) => forest.reduce<number>((sum, tree) => sum + rate * leafOf(tree, row), 0);
};

function quantiles(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const found = Array.from(
    { length: bins - 1 },
    (_, index) => sorted[Math.floor(((index + 1) * sorted.length) / bins)] ?? 0,
  );
  // A column that is the same everywhere has no edge, and then no split.
  return [...new Set(found)].filter((edge) => edge > (sorted[0] ?? 0));
}

function binOf(value: number, edges: readonly number[]): number {
  let bin = 0;
  while (bin < edges.length && value >= (edges[bin] ?? 0)) bin += 1;
  return bin;
}

function leafOf(node: Node | number, row: readonly number[]): number {
  let at = node;
  while (typeof at !== 'number') at = (row[at.column] ?? 0) < at.below ? at.left : at.right;
  return at;
}

interface Growing {
  readonly binned: readonly Uint8Array[];
  readonly edges: readonly (readonly number[])[];
  readonly gradients: Float64Array;
  readonly curvatures: Float64Array;
}

function grow(rows: Uint32Array, levels: number, data: Growing): Node | number {
  const { binned, edges, gradients, curvatures } = data;
  let gradient = 0;
  let curvature = 0;
  for (const row of rows) {
    gradient += gradients[row] ?? 0;
    curvature += curvatures[row] ?? 0;
  }
  const leaf = gradient / (curvature + penalty);
  if (levels === 0 || rows.length < 2 * leastRows) return leaf;
  const quality = (g: number, c: number): number => (g * g) / (c + penalty);
  let best = { gain: 1e-3, column: -1, bin: 0 };
  binned.forEach((column, index) => {
    if (edges[index]?.length === 0) return;
    const g = new Float64Array(bins);
    const c = new Float64Array(bins);
    const counts = new Uint32Array(bins);
    for (const row of rows) {
      const bin = column[row] ?? 0;
      g[bin] = (g[bin] ?? 0) + (gradients[row] ?? 0);
      c[bin] = (c[bin] ?? 0) + (curvatures[row] ?? 0);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    let [left, leftCurvature, count] = [0, 0, 0];
    for (let bin = 0; bin < (edges[index]?.length ?? 0); bin += 1) {
      left += g[bin] ?? 0;
      leftCurvature += c[bin] ?? 0;
      count += counts[bin] ?? 0;
      if (count < leastRows || rows.length - count < leastRows) continue;
      const split = quality(left, leftCurvature) + quality(gradient - left, curvature - leftCurvature);
      const gain = split - quality(gradient, curvature);
      if (gain > best.gain) best = { gain, column: index, bin };
    }
  });
  const { column, bin } = best;
  const values = binned[column];
  if (values === undefined) return leaf;
  return {
    column,
    below: edges[column]?.[bin] ?? 0,
    left: grow(
      rows.filter((row) => (values[row] ?? 0) <= bin),
      levels - 1,
      data,
    ),
    right: grow(
      rows.filter((row) => (values[row] ?? 0) > bin),
      levels - 1,
      data,
    ),
  };
}
