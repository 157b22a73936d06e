import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { hashLength, webHasher, type TreeHasher } from './hasher.ts';
import { checkSize, half, isOdd } from './sizes.ts';

/** Most hashes that a proof in a tree of up to 2^53 - 1 entries can have, with room: longer ones are refused unread. */
export const maxProofHashes = 63;

/**
 * Checks that the entry with hash `leafHash` is number `index` (from 0) of the tree of `size` entries with root `root`;
 * RFC 9162 section 2.1.3.2, which checks the proofs of RFC 6962.
 * @throws LOG_RANGE when the tree has no such entry, LOG_INCLUSION when the proof does not lead to the root
 */
export async function verifyInclusion(options: {
  index: number;
  size: number;
  leafHash: Uint8Array;
  proof: readonly Uint8Array[];
  root: Uint8Array;
  hasher?: TreeHasher;
}): Promise<void> {
  const { index, size, leafHash, proof, root, hasher = webHasher } = options;
  if (checkSize(index, 'Index') >= checkSize(size, 'Size')) {
    throw new FastnessError('LOG_RANGE', `Entry ${index} of ${size}.`);
  }
  checkHashes([leafHash, root, ...proof], 'LOG_INCLUSION');
  let node = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of proof) {
    if (last === 0) throw new FastnessError('LOG_INCLUSION', 'The proof is too long.');
    if (isOdd(node) || node === last) {
      hash = await hasher.node(sibling, hash);
      while (!isOdd(node) && node !== 0) {
        node = half(node);
        last = half(last);
      }
    } else {
      hash = await hasher.node(hash, sibling);
    }
    node = half(node);
    last = half(last);
  }
  if (last !== 0) throw new FastnessError('LOG_INCLUSION', 'The proof is too short.');
  if (!equalBytes(hash, root)) throw new FastnessError('LOG_INCLUSION', `Entry ${index} of ${size}.`);
}

export function checkHashes(hashes: readonly Uint8Array[], code: 'LOG_INCLUSION' | 'LOG_CONSISTENCY'): void {
  if (hashes.length > maxProofHashes + 2) throw new FastnessError(code, 'The proof is too long.');
  if (hashes.some((hash) => hash.length !== hashLength))
    throw new FastnessError(code, 'A hash does not have 32 bytes.');
}
