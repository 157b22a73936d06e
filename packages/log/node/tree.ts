import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { hashLength, perfectRoot, tileHeight, tilePath, tileWidth, widthIn } from '@fastness/log';
import type { ReadResource, TileName } from '@fastness/log';
import { nodeHasher } from './hasher.ts';

/** A file of the log: path below its folder, and content. */
interface TileFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The growing edge of a log in memory: the tiles and bundles that are not on disk yet, and those that are not full. Everything
 * else is read from the disk.
 */
export interface GrowingTree {
  /** Entries in it, those that nobody was told about included. */
  readonly size: number;
  /** Adds a framed entry. One at a time. */
  append(framed: Uint8Array): Promise<void>;
  /** The hashes of a tile; at least `width` of them. */
  readTile(name: TileName & { readonly level: number }): Promise<Uint8Array>;
  /** A perfect subtree of the tree of `size` entries, where its tile is in memory. */
  subtreeInMemory(size: number, level: number, index: number): Uint8Array | undefined;
  /** The entries of a bundle, framed, `width` of them. */
  readBundle(index: number, width: number): Promise<Uint8Array[]>;
  /** The files that a checkpoint of `size` entries needs, beyond those that one of `published` entries had. */
  filesFor(published: number, size: number): TileFile[];
  /** Forgets what is on disk and full. */
  forgetBelow(size: number): void;
}

interface Level {
  /** Full tiles that are not on disk yet. */
  readonly full: Map<number, Uint8Array>;
  readonly current: Uint8Array;
  index: number;
  width: number;
}

/** Begins at the edge of a tree of `size` entries whose files `read` gives. @throws LOG_STORE_DAMAGED */
export async function openTree(size: number, read: ReadResource): Promise<GrowingTree> {
  const stored = async (name: TileName & { readonly level: number }): Promise<Uint8Array> => {
    const bytes = await readFirst(read, name);
    if (bytes.length < name.width * hashLength) {
      throw new FastnessError('LOG_STORE_DAMAGED', `${tilePath(name)}: ${bytes.length} bytes.`);
    }
    return bytes.subarray(0, name.width * hashLength);
  };
  const storedBundle = async (index: number, width: number): Promise<Uint8Array[]> => {
    const bundle = await readFirst(read, { level: 'entries', index, width });
    return framesOf(bundle).slice(0, width);
  };
  const levels: Level[] = [];
  const bundles = new Map<number, Uint8Array[]>();
  let count = size;
  for (let level = 0; Math.floor(size / tileWidth ** level) > 0; level += 1) {
    const index = Math.floor(Math.floor(size / tileWidth ** level) / tileWidth);
    const width = widthIn(size, level, index);
    const current = new Uint8Array(tileWidth * hashLength);
    if (width > 0) current.set(await stored({ level, index, width }));
    levels.push({ full: new Map(), current, index, width });
  }
  const edge = Math.floor(size / tileWidth);
  const edgeWidth = widthIn(size, 'entries', edge);
  if (edgeWidth > 0) {
    bundles.set(edge, await storedBundle(edge, edgeWidth));
  }

  const push = async (level: number, hash: Uint8Array): Promise<void> => {
    const at = (levels[level] ??= {
      full: new Map(),
      current: new Uint8Array(tileWidth * hashLength),
      index: 0,
      width: 0,
    });
    at.current.set(hash, at.width * hashLength);
    at.width += 1;
    if (at.width < tileWidth) return;
    const full = at.current.slice();
    at.full.set(at.index, full);
    at.index += 1;
    at.width = 0;
    await push(level + 1, await perfectRoot(full, nodeHasher));
  };
  const inMemory = (level: number, index: number): Uint8Array | undefined => {
    const at = levels[level];
    if (at === undefined) return undefined;
    return index === at.index ? at.current.subarray(0, at.width * hashLength) : at.full.get(index);
  };

  // Hashes inside tiles that are in memory: a perfect subtree never changes. Forgotten with its tile.
  const inner = new Map<string, Uint8Array>();
  const subtree = (level: number, index: number): Uint8Array | undefined => {
    const tileLevel = Math.floor(level / tileHeight);
    const across = 2 ** (level % tileHeight);
    const first = index * across;
    const tile = Math.floor(first / tileWidth);
    const hashes = inMemory(tileLevel, tile);
    const offset = first - tile * tileWidth;
    if (hashes === undefined || (offset + across) * hashLength > hashes.length) return undefined;
    if (across === 1) return hashes.slice(offset * hashLength, (offset + 1) * hashLength);
    const key = `${tileLevel}/${tile}/${across}/${offset}`;
    const known = inner.get(key);
    if (known !== undefined) return known;
    const left = subtree(level - 1, index * 2);
    const right = subtree(level - 1, index * 2 + 1);
    if (left === undefined || right === undefined) return undefined;
    const hash = nodeHasher.node(left, right);
    inner.set(key, hash);
    return hash;
  };

  return {
    get size() {
      return count;
    },
    subtreeInMemory: (size, level, index) => ((index + 1) * 2 ** level <= size ? subtree(level, index) : undefined),
    async append(framed) {
      const index = Math.floor(count / tileWidth);
      const bundle = bundles.get(index) ?? [];
      bundle.push(framed);
      bundles.set(index, bundle);
      await push(0, nodeHasher.leaf(framed.subarray(2)));
      count += 1;
    },
    async readTile({ level, index, width }) {
      return inMemory(level, index)?.slice() ?? (await stored({ level, index, width }));
    },
    async readBundle(index, width) {
      const bundle = bundles.get(index) ?? (await storedBundle(index, width));
      return bundle.slice(0, width);
    },
    filesFor(published, wanted) {
      const files: TileFile[] = [];
      const add = (level: number | 'entries', tile: (index: number) => Uint8Array | undefined): void => {
        const across = level === 'entries' ? 1 : tileWidth ** level;
        for (let index = Math.floor(published / across / tileWidth); widthIn(wanted, level, index) > 0; index += 1) {
          const width = widthIn(wanted, level, index);
          if (width === widthIn(published, level, index)) continue;
          const bytes = tile(index);
          if (bytes === undefined) throw new FastnessError('LOG_UNAVAILABLE', 'A tile is not in memory.');
          files.push({ path: tilePath({ level, index, width }), bytes });
        }
      };
      for (const level of levels.keys()) {
        add(level, (index) => inMemory(level, index)?.slice(0, widthIn(wanted, level, index) * hashLength));
      }
      add('entries', (index) => {
        const bundle = bundles.get(index);
        return bundle && concatBytes(...bundle.slice(0, widthIn(wanted, 'entries', index)));
      });
      return files;
    },
    forgetBelow(size) {
      inner.clear();
      for (const [level, { full }] of levels.entries()) {
        for (const index of full.keys()) if (widthIn(size, level, index) === tileWidth) full.delete(index);
      }
      for (const index of bundles.keys()) {
        if (widthIn(size, 'entries', index) === tileWidth) bundles.delete(index);
      }
    },
  };
}

/** A tile; where a partial one is gone because it was filled since, the full one. */
async function readFirst(read: ReadResource, name: TileName): Promise<Uint8Array> {
  const bytes = (await read(tilePath(name))) ?? (await read(tilePath({ ...name, width: tileWidth })));
  if (bytes === undefined) throw new FastnessError('LOG_STORE_DAMAGED', `No ${tilePath(name)}.`);
  return bytes;
}

/** The entries of a bundle, each with its length in front. */
function framesOf(bundle: Uint8Array): Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const frames: Uint8Array[] = [];
  for (let offset = 0; offset + 2 <= bundle.length;) {
    const end = offset + 2 + view.getUint16(offset);
    if (end > bundle.length) throw new FastnessError('LOG_STORE_DAMAGED', 'An entry is cut off.');
    frames.push(bundle.slice(offset, end));
    offset = end;
  }
  return frames;
}
