import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { webHasher, type TreeHasher } from './hasher.ts';
import { checkHashes } from './inclusion.ts';
import { checkSize, half, isOdd, isPowerOfTwo } from './sizes.ts';

/** A tree by its size and root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Checks that the tree `newer` begins with all entries of the tree `older`; RFC 9162 section 2.1.4.2. Every tree begins with
 * the empty one, and with itself: their proofs are empty.
 * @throws LOG_ROLLBACK when `newer` is smaller, LOG_FORK when both have one size and two roots, LOG_CONSISTENCY when the proof
 *   does not hold
 */
export async function verifyConsistency(options: {
  older: TreeHead;
  newer: TreeHead;
  proof: readonly Uint8Array[];
  hasher?: TreeHasher;
}): Promise<void> {
  const { older, newer, proof, hasher = webHasher } = options;
  checkSize(older.size, 'Older size');
  if (checkSize(newer.size, 'Newer size') < older.size) {
    throw new FastnessError('LOG_ROLLBACK', `${newer.size} entries, after ${older.size}.`);
  }
  checkHashes([older.root, newer.root, ...proof], 'LOG_CONSISTENCY');
  if (older.size === newer.size && !equalBytes(older.root, newer.root)) {
    throw new FastnessError('LOG_FORK', `Two roots of ${older.size} entries.`);
  }
  if (older.size === 0 || older.size === newer.size) {
    if (proof.length > 0) throw new FastnessError('LOG_CONSISTENCY', 'The proof is too long.');
    return;
  }
  const [first, ...rest] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  if (first === undefined) throw new FastnessError('LOG_CONSISTENCY', 'The proof is too short.');
  let node = older.size - 1;
  let last = newer.size - 1;
  while (isOdd(node)) {
    node = half(node);
    last = half(last);
  }
  let oldRoot = first;
  let newRoot = first;
  for (const hash of rest) {
    if (last === 0) throw new FastnessError('LOG_CONSISTENCY', 'The proof is too long.');
    if (isOdd(node) || node === last) {
      oldRoot = await hasher.node(hash, oldRoot);
      newRoot = await hasher.node(hash, newRoot);
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      newRoot = await hasher.node(newRoot, hash);
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw new FastnessError('LOG_CONSISTENCY', 'The proof is too short.');
  if (!equalBytes(oldRoot, older.root) || !equalBytes(newRoot, newer.root)) {
    throw new FastnessError('LOG_CONSISTENCY', `From ${older.size} to ${newer.size} entries.`);
  }
}
