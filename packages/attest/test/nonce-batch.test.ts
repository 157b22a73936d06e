import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { gatherNonces, NONCE_BATCH_MAX, reportDataOf, verifyNonceProof, type NonceProof } from '../src/index.ts';

const nonceOf = (index: number) => createHash('sha256').update(`nonce ${index}`).digest();
const nonces = (count: number) => Array.from({ length: count }, (_, index) => nonceOf(index));

/** The definition, written down once more: RFC 6962's recursion with the labels of this tree. */
function rootByDefinition(leaves: readonly Uint8Array[]): Buffer {
  const framed = (label: string, ...parts: readonly Uint8Array[]) => {
    const hash = createHash('sha256');
    for (const part of [Buffer.from(label), ...parts]) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      hash.update(length).update(part);
    }
    return hash.digest();
  };
  const head = (part: readonly Uint8Array[]): Buffer => {
    const [only = Buffer.alloc(0)] = part;
    if (part.length === 1) return framed('fastness/nonce-batch-leaf/v1', only);
    let split = 1;
    while (split * 2 < part.length) split *= 2;
    return framed('fastness/nonce-batch-node/v1', head(part.slice(0, split)), head(part.slice(split)));
  };
  const size = Buffer.alloc(4);
  size.writeUInt32BE(leaves.length);
  return framed('fastness/nonce-batch-root/v1', size, head(leaves));
}

describe('nonces under one root', () => {
  it('is the documented tree, and every nonce of it has a proof', async () => {
    for (let count = 1; count <= 33; count += 1) {
      const batch = await gatherNonces(nonces(count));
      expect(Buffer.from(batch.root).equals(rootByDefinition(nonces(count)))).toBe(true);
      for (const [index, nonce] of nonces(count).entries()) await verifyNonceProof(nonce, batch.proof(index));
    }
  });

  it('holds as many as it may, with a proof of twelve hashes', async () => {
    const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
    const batch = await gatherNonces(nonces(NONCE_BATCH_MAX), sha256);
    const proof = batch.proof(NONCE_BATCH_MAX - 1);
    expect(proof.hashes).toHaveLength(12);
    await verifyNonceProof(nonceOf(NONCE_BATCH_MAX - 1), proof, sha256);
  });

  it('is bound for a purpose of its own', async () => {
    const { root } = await gatherNonces(nonces(2));
    const rest = { keyConfigDigest: root, releaseDigest: root, deviceEvidenceDigest: null };
    const single = await reportDataOf({ ...rest, purpose: 'client', nonce: root });
    expect(await reportDataOf({ ...rest, purpose: 'client-batch', nonce: root })).not.toEqual(single);
  });

  it('has no root for none, for too many, or for what is no nonce', async () => {
    await expect(gatherNonces([])).rejects.toMatchObject({ code: 'ATTEST_NONCE_BATCH_SHAPE' });
    const many = Array.from({ length: NONCE_BATCH_MAX + 1 }, () => nonceOf(0));
    await expect(gatherNonces(many)).rejects.toMatchObject({ code: 'ATTEST_NONCE_BATCH_SHAPE' });
    await expect(gatherNonces([new Uint8Array(31)])).rejects.toMatchObject({ code: 'ATTEST_BINDING_INPUT' });
    const { proof } = await gatherNonces(nonces(3));
    expect(() => proof(3)).toThrow(expect.objectContaining({ code: 'ATTEST_NONCE_BATCH_SHAPE' }) as Error);
  });
});

describe('a proof with one thing wrong', () => {
  const flip = (bytes: Uint8Array) => bytes.map((byte, index) => (index === 7 ? byte ^ 1 : byte));
  const proof = 'ATTEST_NONCE_BATCH_PROOF';
  const shape = 'ATTEST_NONCE_BATCH_SHAPE';
  it.each<[string, string, (honest: NonceProof) => NonceProof, Uint8Array?]>([
    [proof, 'for another nonce', (honest) => honest, nonceOf(9)],
    [proof, 'another root', (honest) => ({ ...honest, root: flip(honest.root) })],
    [proof, 'another sibling', (honest) => ({ ...honest, hashes: honest.hashes.map(flip) })],
    [proof, 'siblings in another order', (honest) => ({ ...honest, hashes: honest.hashes.toReversed() })],
    [proof, 'another place', (honest) => ({ ...honest, index: honest.index ^ 1 })],
    // A tree of 7 asks place 2 for as many hashes as a tree of 6: only the size in the root tells them apart.
    [proof, 'another size of the same depth', (honest) => ({ ...honest, size: 7 })],
    [shape, 'a place beyond the size', (honest) => ({ ...honest, index: 6 })],
    [shape, 'a negative place', (honest) => ({ ...honest, index: -1 })],
    [shape, 'a size of nothing', (honest) => ({ ...honest, size: 0 })],
    [shape, 'a size above the limit', (honest) => ({ ...honest, size: NONCE_BATCH_MAX + 1 })],
    [shape, 'a hash too few', (honest) => ({ ...honest, hashes: honest.hashes.slice(1) })],
    [shape, 'a hash too many', (honest) => ({ ...honest, hashes: [...honest.hashes, honest.root] })],
    [shape, 'a short hash', (honest) => ({ ...honest, hashes: honest.hashes.map((hash) => hash.subarray(1)) })],
  ])('fails with %s: %s', async (code, _what, change, nonce = nonceOf(2)) => {
    const batch = await gatherNonces(nonces(6));
    await expect(verifyNonceProof(nonce, change(batch.proof(2)))).rejects.toMatchObject({ code });
  });

  it('does not take an inner node for a nonce', async () => {
    const [left, right] = nonces(2);
    const pair = await gatherNonces(nonces(2));
    const [sibling = pair.root] = pair.proof(0).hashes;
    const [own = pair.root] = pair.proof(1).hashes;
    expect([left, right]).not.toContainEqual(sibling);
    const one: NonceProof = { root: pair.root, size: 1, index: 0, hashes: [] };
    for (const node of [own, sibling]) {
      await expect(verifyNonceProof(node, one)).rejects.toMatchObject({ code: proof });
    }
  });
});
