import { fromHex, toHex } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  createFrontier,
  emptyRoot,
  proveConsistency,
  proveInclusion,
  rootOf,
  verifyConsistency,
  verifyInclusion,
  webHasher,
} from '../src/index.ts';
import { nodeHasher } from '../node/index.ts';
import { entriesOf, naiveConsistency, naivePath, naiveRoot } from './oracle.ts';

// The eight entries and roots that the implementations of Certificate Transparency share as test data
// (google/certificate-transparency, merkletree tests; also transparency-dev/merkle, testonly).
const ctEntries = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map(fromHex);
const ctRoots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** Perfect subtrees straight out of the entries. */
const subtrees = (entries: readonly Uint8Array[]) => (level: number, index: number) =>
  naiveRoot(entries.slice(index * 2 ** level, (index + 1) * 2 ** level));

const flipped = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 7 ? byte ^ 1 : byte));

describe('the tree', () => {
  it('has the roots of the shared test data', async () => {
    expect(toHex(await emptyRoot())).toBe(ctRoots[0]);
    for (const hasher of [webHasher, nodeHasher]) {
      const frontier = createFrontier(hasher);
      expect(toHex(await frontier.root())).toBe(ctRoots[0]);
      for (const [index, entry] of ctEntries.entries()) {
        await frontier.append(await hasher.leaf(entry));
        expect(toHex(await frontier.root())).toBe(ctRoots[index + 1]);
        expect(toHex(naiveRoot(ctEntries.slice(0, index + 1)))).toBe(ctRoots[index + 1]);
      }
      expect(frontier.size).toBe(8);
    }
  });

  it('proves inclusion and consistency as RFC 6962 defines them, for every pair up to 40 entries', async () => {
    const hasher = nodeHasher;
    for (let size = 0; size <= 40; size += 1) {
      const entries = entriesOf(size);
      const read = subtrees(entries);
      const root = naiveRoot(entries);
      expect(await rootOf({ size, read, hasher })).toEqual(root);
      for (const [index, entry] of entries.entries()) {
        const proof = await proveInclusion({ index, size, read, hasher });
        expect(proof).toEqual(naivePath(index, entries));
        const leafHash = hasher.leaf(entry);
        await verifyInclusion({ index, size, leafHash, proof, root, hasher });
      }
      for (let oldSize = 1; oldSize <= size; oldSize += 1) {
        const proof = await proveConsistency({ oldSize, newSize: size, read, hasher });
        expect(proof).toEqual(naiveConsistency(oldSize, entries));
        const older = { size: oldSize, root: naiveRoot(entries.slice(0, oldSize)) };
        await verifyConsistency({ older, newer: { size, root }, proof, hasher });
      }
    }
  });

  it('verifies a proof in a tree of more than 2^40 entries', async () => {
    // All entries alike, so that a perfect subtree is known by its level alone.
    const levels = [await webHasher.leaf(new Uint8Array(1))];
    for (let level = 1; level <= 50; level += 1) {
      const below = levels[level - 1] ?? new Uint8Array();
      levels.push(await webHasher.node(below, below));
    }
    const read = (level: number): Uint8Array => levels[level] ?? new Uint8Array();
    const size = 2 ** 45 + 12_345;
    const root = await rootOf({ size, read });
    for (const index of [0, 2 ** 33 + 1, 2 ** 45, size - 1]) {
      const proof = await proveInclusion({ index, size, read });
      await verifyInclusion({ index, size, proof, root, leafHash: read(0) });
    }
    const oldSize = 2 ** 40 + 7;
    const older = { size: oldSize, root: await rootOf({ size: oldSize, read }) };
    const proof = await proveConsistency({ oldSize, newSize: size, read });
    await verifyConsistency({ older, newer: { size, root }, proof });
  });
});

describe('what does not hold', () => {
  const entries = entriesOf(21);
  const root = naiveRoot(entries);
  const size = entries.length;
  const leafHash = nodeHasher.leaf(entries[9] ?? new Uint8Array());
  const proof = naivePath(9, entries);
  const good = { index: 9, size, leafHash, proof, root };

  it('refuses inclusion of another entry, index, root or proof', async () => {
    await verifyInclusion(good);
    const bad = [
      { ...good, index: 8 },
      { ...good, index: 11 },
      { ...good, leafHash: flipped(leafHash) },
      { ...good, root: flipped(root) },
      { ...good, proof: proof.slice(1) },
      { ...good, proof: proof.slice(0, -1) },
      { ...good, proof: [...proof, root] },
      { ...good, proof: proof.toReversed() },
      { ...good, proof: proof.map((hash) => hash.slice(1)) },
      { ...good, proof: Array.from({ length: 1000 }, () => root) },
      ...proof.map((hash, at) => ({ index: 9, size, leafHash, root, proof: proof.with(at, flipped(hash)) })),
    ];
    for (const options of bad) await expect(verifyInclusion(options)).rejects.toMatchObject({ code: 'LOG_INCLUSION' });
    for (const index of [21, -1, 0.5, 2 ** 60]) {
      await expect(verifyInclusion({ ...good, index })).rejects.toMatchObject({ code: 'LOG_RANGE' });
    }
  });

  it('refuses a node in place of an entry', async () => {
    // The classic second preimage: an inner node as a leaf of a smaller tree.
    const two = entriesOf(2);
    const inner = new Uint8Array([...nodeHasher.leaf(two[0]!), ...nodeHasher.leaf(two[1]!)]);
    await expect(
      verifyInclusion({ index: 0, size: 1, leafHash: await webHasher.leaf(inner), proof: [], root: naiveRoot(two) }),
    ).rejects.toMatchObject({ code: 'LOG_INCLUSION' });
  });

  it('refuses consistency with another history', async () => {
    for (const oldSize of [8, 13]) {
      const older = { size: oldSize, root: naiveRoot(entries.slice(0, oldSize)) };
      const newer = { size, root };
      const hashes = naiveConsistency(oldSize, entries);
      await verifyConsistency({ older, newer, proof: hashes });
      const bad = [
        { older: { ...older, root: flipped(older.root) }, newer, proof: hashes },
        { older, newer: { ...newer, root: flipped(root) }, proof: hashes },
        { older: { ...older, size: oldSize + 1 }, newer, proof: hashes },
        { older, newer, proof: hashes.slice(1) },
        { older, newer, proof: hashes.slice(0, -1) },
        { older, newer, proof: [...hashes, root] },
        { older, newer, proof: [] },
        ...hashes.map((_, at) => ({ older, newer, proof: hashes.with(at, flipped(hashes[at] ?? root)) })),
      ];
      for (const options of bad) {
        await expect(verifyConsistency(options)).rejects.toMatchObject({ code: 'LOG_CONSISTENCY' });
      }
    }
  });

  it('tells rollback, fork and a proof that does not hold apart', async () => {
    const older = { size: 13, root: naiveRoot(entries.slice(0, 13)) };
    const refusal = async (from: typeof older, to: typeof older, hashes: Uint8Array[] = []): Promise<unknown> =>
      verifyConsistency({ older: from, newer: to, proof: hashes }).catch((error: { code: string }) => error.code);
    expect(await refusal({ size, root }, older)).toBe('LOG_ROLLBACK');
    expect(await refusal(older, { size: 13, root })).toBe('LOG_FORK');
    expect(await refusal({ size: 0, root: await emptyRoot() }, older)).toBeUndefined();
    expect(await refusal({ size: 0, root: await emptyRoot() }, older, [root])).toBe('LOG_CONSISTENCY');
    expect(await refusal(older, older, [root])).toBe('LOG_CONSISTENCY');
  });
});
