import { concatBytes, equalBytes } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { decodeEntries, encodeEntry, parseTilePath, subtreesOf, tilePath, widthIn } from '../src/index.ts';
import { nodeHasher } from '../node/index.ts';
import { entriesOf, naiveRoot } from './oracle.ts';

describe('paths of tiles', () => {
  it('spells them as the specification does', () => {
    const examples = {
      'tile/0/x001/x234/067': { level: 0, index: 1_234_067, width: 256 },
      'tile/0/000': { level: 0, index: 0, width: 256 },
      'tile/63/999.p/1': { level: 63, index: 999, width: 1 },
      'tile/entries/x001/000.p/255': { level: 'entries', index: 1000, width: 255 },
    } as const;
    for (const [path, name] of Object.entries(examples)) {
      expect(tilePath(name)).toBe(path);
      expect(parseTilePath(path)).toEqual(name);
    }
  });

  it('reads no other spelling', () => {
    for (const path of [
      '/tile/0/000',
      'tile/00/000',
      'tile/64/000',
      'tile/-1/000',
      'tile/0/0',
      'tile/0/x000/001',
      'tile/0/x001',
      'tile/0/001/002',
      'tile/0/000.p/0',
      'tile/0/000.p/256',
      'tile/0/000.p/01',
      'tile/0/000.p/999',
      'tile/0/../000',
      'tile/0/000/',
      'tile/data/000',
      'tile/0/x999/x999/x999/x999/x999/x999/999',
    ]) {
      expect(parseTilePath(path), path).toBeUndefined();
    }
  });

  it('has the tiles of a tree of 70,000 entries', () => {
    expect([0, 272, 273, 274].map((index) => widthIn(70_000, 0, index))).toEqual([256, 256, 112, 0]);
    expect([0, 1, 2].map((index) => widthIn(70_000, 1, index))).toEqual([256, 17, 0]);
    expect([0, 1].map((index) => widthIn(70_000, 2, index))).toEqual([1, 0]);
    expect([widthIn(256, 0, 0), widthIn(256, 1, 0), widthIn(256, 2, 0)]).toEqual([256, 1, 0]);
    expect(widthIn(0, 0, 0)).toBe(0);
  });
});

describe('contents of tiles', () => {
  it('gives the perfect subtrees of a tree out of its tiles', async () => {
    const entries = entriesOf(700);
    const hash = (from: number, to: number): Uint8Array => naiveRoot(entries.slice(from, to));
    const leaves = entries.map((_, index) => hash(index, index + 1));
    const read = subtreesOf({
      size: 700,
      hasher: nodeHasher,
      readTile: ({ level, index, width }) =>
        level === 0
          ? concatBytes(...leaves.slice(index * 256, index * 256 + width))
          : concatBytes(...Array.from({ length: width }, (_, at) => hash(at * 256, (at + 1) * 256))),
    });
    for (const [level, index] of [
      [0, 699],
      [3, 0],
      [7, 4],
      [8, 1],
      [9, 0],
      [2, 174],
    ] as const) {
      expect(equalBytes(await read(level, index), hash(index * 2 ** level, (index + 1) * 2 ** level))).toBe(true);
    }
    await expect(Promise.resolve(read(9, 1))).rejects.toMatchObject({ code: 'LOG_RANGE' });
    const short = subtreesOf({ size: 700, readTile: () => new Uint8Array(100) });
    await expect(Promise.resolve(short(0, 0))).rejects.toMatchObject({ code: 'LOG_TILE_MALFORMED' });
  });

  it('frames entries with two bytes of length', () => {
    const entries = [new Uint8Array(0), new Uint8Array(300).fill(1), new Uint8Array(0xffff)];
    const bundle = concatBytes(...entries.map(encodeEntry));
    expect([...bundle.subarray(0, 4)]).toEqual([0, 0, 1, 44]);
    expect(decodeEntries(bundle, 3)).toEqual(entries);
    const malformed = { code: 'LOG_TILE_MALFORMED' };
    expect(() => decodeEntries(bundle, 2)).toThrow(expect.objectContaining(malformed));
    expect(() => decodeEntries(bundle.subarray(1), 3)).toThrow(expect.objectContaining(malformed));
    expect(() => decodeEntries(bundle.subarray(0, -1), 3)).toThrow(expect.objectContaining(malformed));
    expect(() => encodeEntry(new Uint8Array(0x10000))).toThrow(expect.objectContaining({ code: 'LOG_ENTRY_LIMIT' }));
  });
});
