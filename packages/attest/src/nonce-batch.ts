import { concatBytes, equalBytes, u32be, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** Nonces that one piece of evidence may answer at most. */
export const NONCE_BATCH_MAX = 4096;

/** That a nonce is among those which one piece of evidence answers. */
export interface NonceProof {
  /** What the evidence is bound to in place of a nonce, with purpose `client-batch`; 32 bytes. */
  readonly root: Uint8Array;
  /** How many nonces are under the root, 1 to {@link NONCE_BATCH_MAX}. */
  readonly size: number;
  /** Place of this nonce, from 0. */
  readonly index: number;
  /** Sibling hashes from the leaf up, 32 bytes each; as many as place and size ask for. */
  readonly hashes: readonly Uint8Array[];
}

/** Nonces under one root. */
export interface NonceBatch {
  readonly root: Uint8Array;
  readonly size: number;
  /** The proof of the nonce at this place. Throws ATTEST_NONCE_BATCH_SHAPE for a place that does not exist. */
  readonly proof: (index: number) => NonceProof;
}

type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const LEAF_LABEL = utf8Encode('fastness/nonce-batch-leaf/v1');
const NODE_LABEL = utf8Encode('fastness/nonce-batch-node/v1');
const ROOT_LABEL = utf8Encode('fastness/nonce-batch-root/v1');
const NONCE_BYTES = 32;

/**
 * Gathers nonces under one root, so that one quote is fresh for every client that waits for it:
 *
 *     leaf = SHA-256(framed(leaf label, nonce))           framed: each part after its length, 32 bits big-endian
 *     node = SHA-256(framed(node label, left, right))
 *     root = SHA-256(framed(root label, size as 32 bits big-endian, top of the tree))
 *
 * The tree has the shape of RFC 6962 section 2.1: a node without a partner moves up as it is. The three labels keep a nonce
 * from passing for a node and a node for a root; the size in the root leaves one shape for every proof. A hash of a random
 * nonce tells whoever sees it as a sibling nothing about that nonce.
 * @param nonces 1 to {@link NONCE_BATCH_MAX}, 32 bytes each; the same may come twice
 * @param sha256 Default: WebCrypto's
 * Throws ATTEST_NONCE_BATCH_SHAPE, ATTEST_BINDING_INPUT.
 */
export async function gatherNonces(nonces: readonly Uint8Array[], sha256: Sha256 = webSha256): Promise<NonceBatch> {
  const size = nonces.length;
  if (size === 0 || size > NONCE_BATCH_MAX)
    throw new FastnessError('ATTEST_NONCE_BATCH_SHAPE', `${size} nonces; 1 to ${NONCE_BATCH_MAX}.`);
  const levels: Uint8Array[][] = [await Promise.all(nonces.map(async (nonce) => leafOf(nonce, sha256)))];
  for (let level = levels[0] ?? []; level.length > 1; level = levels.at(-1) ?? []) {
    levels.push(await Promise.all(pairsOf(level).map(async ([left, right]) => nodeOf(left, right, sha256))));
  }
  const [top] = levels.at(-1) ?? [];
  if (top === undefined) throw new FastnessError('ATTEST_NONCE_BATCH_SHAPE');
  const root = await rootOf(size, top, sha256);
  return {
    root,
    size,
    proof: (index) => {
      if (!Number.isInteger(index) || index < 0 || index >= size)
        throw new FastnessError('ATTEST_NONCE_BATCH_SHAPE', `Place ${index} of ${size}.`);
      const hashes = levels.slice(0, -1).flatMap((level, height) => level[(index >> height) ^ 1] ?? []);
      return { root, size, index, hashes };
    },
  };
}

/**
 * Checks that a nonce is under the root which evidence is bound to. The evidence is then verified with purpose `client-batch`
 * and the root as its nonce.
 * Throws ATTEST_NONCE_BATCH_SHAPE (place and size do not fit the number of hashes), ATTEST_NONCE_BATCH_PROOF (they lead to
 * another root), ATTEST_BINDING_INPUT.
 */
export async function verifyNonceProof(
  nonce: Uint8Array,
  { root, size, index, hashes }: NonceProof,
  sha256: Sha256 = webSha256,
): Promise<void> {
  const shape = (why: string): FastnessError => new FastnessError('ATTEST_NONCE_BATCH_SHAPE', why);
  if (!Number.isInteger(size) || size < 1 || size > NONCE_BATCH_MAX) throw shape(`${size} nonces.`);
  if (!Number.isInteger(index) || index < 0 || index >= size) throw shape(`Place ${index} of ${size}.`);
  if (hashes.some((hash) => hash.length !== NONCE_BYTES)) throw shape('A hash does not have 32 bytes.');
  let top = await leafOf(nonce, sha256);
  let used = 0;
  for (let place = index, width = size; width > 1; place >>= 1, width = (width + 1) >> 1) {
    if ((place ^ 1) >= width) continue;
    const sibling = hashes[used++];
    if (sibling === undefined) throw shape(`${hashes.length} hashes are too few for place ${index} of ${size}.`);
    top = place % 2 === 1 ? await nodeOf(sibling, top, sha256) : await nodeOf(top, sibling, sha256);
  }
  if (used !== hashes.length) throw shape(`${hashes.length} hashes for place ${index} of ${size}.`);
  if (!equalBytes(await rootOf(size, top, sha256), root)) throw new FastnessError('ATTEST_NONCE_BATCH_PROOF');
}

function leafOf(nonce: Uint8Array, sha256: Sha256): Uint8Array | Promise<Uint8Array> {
  if (!(nonce instanceof Uint8Array) || nonce.length !== NONCE_BYTES)
    throw new FastnessError('ATTEST_BINDING_INPUT', `nonce must be ${NONCE_BYTES} bytes.`);
  return sha256(framed(LEAF_LABEL, nonce));
}

/** A node without a right neighbour moves up as it is. */
function nodeOf(left: Uint8Array, right: Uint8Array | undefined, sha256: Sha256): Uint8Array | Promise<Uint8Array> {
  return right === undefined ? left : sha256(framed(NODE_LABEL, left, right));
}

function rootOf(size: number, top: Uint8Array, sha256: Sha256): Uint8Array | Promise<Uint8Array> {
  return sha256(framed(ROOT_LABEL, u32be(size), top));
}

function pairsOf(level: readonly Uint8Array[]): [Uint8Array, Uint8Array | undefined][] {
  return level.flatMap((left, index) =>
    index % 2 === 0 ? [[left, level[index + 1]] as [Uint8Array, Uint8Array | undefined]] : [],
  );
}

function framed(...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...parts.flatMap((part) => [u32be(part.length), part]));
}

async function webSha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', new Uint8Array(bytes)));
}
