import { hash } from 'node:crypto';
import { concatBytes } from '@fastness/codec/bytes';
import type { TreeHasher } from '@fastness/log';

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** The tree's hashing by Node's own SHA-256: at once, without a change of thread for every 64 bytes. */
export const nodeHasher = Object.freeze({
  leaf: (entry) => sha256(concatBytes(leafPrefix, entry)),
  node: (left, right) => sha256(concatBytes(nodePrefix, left, right)),
} satisfies TreeHasher);

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'));
}
