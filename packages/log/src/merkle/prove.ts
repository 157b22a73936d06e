import { FastnessError } from '@fastness/codec/errors';
import { emptyRoot, webHasher, type TreeHasher } from './hasher.ts';
import { checkSize, half, isPowerOfTwo, splitOf } from './sizes.ts';

/** Gives the hash of the perfect subtree over entries `index * 2^level` up to `(index + 1) * 2^level`. */
export type ReadSubtree = (level: number, index: number) => Uint8Array | Promise<Uint8Array>;

interface Source {
  readonly read: ReadSubtree;
  readonly hasher?: TreeHasher;
}

/** The root of the tree of the first `size` entries. */
export async function rootOf(options: Source & { size: number }): Promise<Uint8Array> {
  const { size, read, hasher = webHasher } = options;
  if (checkSize(size, 'Size') === 0) return await emptyRoot();
  return await rangeHash(0, size, read, hasher);
}

/**
 * The inclusion proof of entry `index` in the tree of `size` entries: sibling hashes from the leaf up (RFC 6962 section
 * 2.1.1). @throws LOG_RANGE
 */
export async function proveInclusion(options: Source & { index: number; size: number }): Promise<Uint8Array[]> {
  const { index, size, read, hasher = webHasher } = options;
  if (checkSize(index, 'Index') >= checkSize(size, 'Size')) {
    throw new FastnessError('LOG_RANGE', `Entry ${index} of ${size}.`);
  }
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    const left = index < middle;
    proof.push(left ? await rangeHash(middle, end, read, hasher) : await rangeHash(start, middle, read, hasher));
    if (left) end = middle;
    else start = middle;
  }
  return proof.toReversed();
}

/**
 * The consistency proof from the tree of `oldSize` entries to that of `newSize` (RFC 6962 section 2.1.2). Empty from the
 * empty tree, and between equal sizes. @throws LOG_RANGE when `oldSize` is larger
 */
export async function proveConsistency(options: Source & { oldSize: number; newSize: number }): Promise<Uint8Array[]> {
  const { oldSize, newSize, read, hasher = webHasher } = options;
  if (checkSize(oldSize, 'Old size') > checkSize(newSize, 'New size')) {
    throw new FastnessError('LOG_RANGE', `From ${oldSize} to ${newSize} entries.`);
  }
  if (oldSize === 0 || oldSize === newSize) return [];
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = newSize;
  // Down to the subtree that ends where the old tree ended. It needs no hash when it is the whole old tree.
  while (end !== oldSize) {
    const middle = start + splitOf(end - start);
    const left = oldSize <= middle;
    proof.push(left ? await rangeHash(middle, end, read, hasher) : await rangeHash(start, middle, read, hasher));
    if (left) end = middle;
    else start = middle;
  }
  if (start > 0) proof.push(await rangeHash(start, end, read, hasher));
  return proof.toReversed();
}

/** The hash over entries `start` up to `end`, a range of which RFC 6962 makes a subtree: `start` is a multiple of its size. */
async function rangeHash(start: number, end: number, read: ReadSubtree, hasher: TreeHasher): Promise<Uint8Array> {
  const size = end - start;
  if (isPowerOfTwo(size)) {
    let level = 0;
    for (let rest = size; rest > 1; rest = half(rest)) level += 1;
    return await read(level, start / size);
  }
  const middle = start + splitOf(size);
  const left = await rangeHash(start, middle, read, hasher);
  return await hasher.node(left, await rangeHash(middle, end, read, hasher));
}
