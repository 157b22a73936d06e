import { concatBytes, plainBytes } from '@fastness/codec/bytes';

/** Bytes of a hash in the tree (SHA-256). */
export const hashLength = 32;

/**
 * Hashing of the tree, RFC 6962 section 2.1: leaves are SHA-256(0x00 || entry), inner nodes SHA-256(0x01 || left || right),
 * so that a node can never be passed off as an entry. A hasher may answer at once (Node) or later (WebCrypto).
 */
export interface TreeHasher {
  leaf(entry: Uint8Array): Uint8Array | Promise<Uint8Array>;
  node(left: Uint8Array, right: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** SHA-256 by WebCrypto. */
export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes)));
}

/** A tree hasher that runs wherever there is WebCrypto. */
export const webHasher: TreeHasher = Object.freeze({
  leaf: (entry) => sha256(concatBytes(leafPrefix, entry)),
  node: (left, right) => sha256(concatBytes(nodePrefix, left, right)),
} satisfies TreeHasher);

/** Root of the tree without entries: SHA-256 of nothing. */
export const emptyRoot = async (): Promise<Uint8Array> => sha256(new Uint8Array(0));
