import { equalBytes, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { openCheckpoint, type LogTrust, type VerifiedCheckpoint } from '../checkpoint/checkpoint.ts';
import { createFrontier } from '../merkle/frontier.ts';
import { hashLength, webHasher, type TreeHasher } from '../merkle/hasher.ts';
import type { TreeHead } from '../merkle/consistency.ts';
import { verifyInclusion } from '../merkle/inclusion.ts';
import { proveConsistency, proveInclusion, rootOf, type ReadSubtree } from '../merkle/prove.ts';
import { encodeProof } from '../proof.ts';
import { decodeEntries } from '../tiles/entries.ts';
import { tilePath, tileWidth, widthIn, type TileName } from '../tiles/path.ts';
import { subtreesOf } from '../tiles/subtrees.ts';

/** Gives a resource of the log by its path (`checkpoint`, `tile/...`); undefined when there is none. */
export type ReadResource = (path: string) => Promise<Uint8Array | undefined>;

/** Where a log is read from, and how its hashes are made. */
export interface LogSource {
  readonly read: ReadResource;
  readonly hasher?: TreeHasher;
}

/** The newest checkpoint of the log. @throws LOG_UNAVAILABLE when it has none, and what `openCheckpoint` throws */
export async function readCheckpoint(source: LogSource, trust: LogTrust): Promise<VerifiedCheckpoint> {
  const bytes = await source.read('checkpoint');
  if (bytes === undefined) throw new FastnessError('LOG_UNAVAILABLE', 'It has no checkpoint.');
  let note: string;
  try {
    note = utf8Decode(bytes);
  } catch (cause) {
    throw new FastnessError('LOG_NOTE_MALFORMED', 'Not UTF-8.', { cause });
  }
  return await openCheckpoint(note, trust);
}

/** A tile as it is needed for a tree; where only the full tile is left of a partial one, the beginning of that. */
async function readTile(source: LogSource, name: TileName): Promise<Uint8Array> {
  const bytes = (await source.read(tilePath(name))) ?? (await source.read(tilePath({ ...name, width: tileWidth })));
  if (bytes === undefined) throw new FastnessError('LOG_UNAVAILABLE', `It has no ${tilePath(name)}.`);
  return bytes;
}

/** Subtrees of a tree of `size` entries, out of the tiles of a source; each tile is read once. */
export function readSubtrees(source: LogSource, size: number): ReadSubtree {
  const tiles = new Map<string, Promise<Uint8Array>>();
  return subtreesOf({
    size,
    ...(source.hasher === undefined ? {} : { hasher: source.hasher }),
    readTile: async (name) => {
      const path = tilePath(name);
      const tile = tiles.get(path) ?? readTile(source, name);
      tiles.set(path, tile);
      return await tile;
    },
  });
}

/**
 * Checks that the log of `checkpoint` continues what is remembered of it, by the roots that its own tiles give.
 * @throws LOG_ROLLBACK when it is shorter now, LOG_FORK when its first entries are others, LOG_TILES_DAMAGED when the
 *   tiles do not even give the root of `checkpoint`
 */
export async function checkContinues(source: LogSource, checkpoint: TreeHead, remembered: TreeHead): Promise<void> {
  if (checkpoint.size < remembered.size) {
    throw new FastnessError('LOG_ROLLBACK', `${checkpoint.size} entries, after ${remembered.size}.`);
  }
  const read = readSubtrees(source, checkpoint.size);
  const hasher = source.hasher ?? webHasher;
  if (!equalBytes(await rootOf({ size: checkpoint.size, read, hasher }), checkpoint.root)) {
    throw new FastnessError('LOG_TILES_DAMAGED', `Root of ${checkpoint.size} entries.`);
  }
  if (!equalBytes(await rootOf({ size: remembered.size, read, hasher }), remembered.root)) {
    throw new FastnessError('LOG_FORK', `Another root of ${remembered.size} entries than the remembered one.`);
  }
}

/**
 * Reads every entry of the log and every tile that its checkpoint needs, and compares them with the signed root: leaves with
 * entries, upper tiles with lower ones.
 * @throws LOG_TILES_DAMAGED, LOG_TILE_MALFORMED, LOG_UNAVAILABLE
 */
export async function verifyEntries(
  source: LogSource,
  checkpoint: TreeHead,
  onEntry?: (index: number, entry: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const hasher = source.hasher ?? webHasher;
  const frontier = createFrontier(hasher);
  for (let index = 0; index * tileWidth < checkpoint.size; index += 1) {
    const leaves = await readTile(source, { level: 0, index, width: widthIn(checkpoint.size, 0, index) });
    const entries = await readEntries(source, checkpoint.size, index);
    for (const [place, entry] of entries.entries()) {
      const hash = await hasher.leaf(entry);
      const number = index * tileWidth + place;
      if (!equalBytes(hash, leaves.subarray(place * hashLength, (place + 1) * hashLength))) {
        throw new FastnessError('LOG_TILES_DAMAGED', `Entry ${number} is not the one of its tile.`);
      }
      await frontier.append(hash);
      await onEntry?.(number, entry);
    }
  }
  if (!equalBytes(await frontier.root(), checkpoint.root)) {
    throw new FastnessError('LOG_TILES_DAMAGED', `The entries do not give the root of ${checkpoint.size} entries.`);
  }
  await verifyUpperTiles(source, checkpoint, hasher);
}

/** Proofs are made of the upper tiles, so each of their hashes is compared as well. */
async function verifyUpperTiles(source: LogSource, { size }: TreeHead, hasher: TreeHasher): Promise<void> {
  for (let level = 1; widthIn(size, level, 0) > 0; level += 1) {
    const below = readSubtrees(source, size);
    for (let index = 0; widthIn(size, level, index) > 0; index += 1) {
      const width = widthIn(size, level, index);
      const tile = await readTile(source, { level, index, width });
      for (let place = 0; place < width; place += 1) {
        const number = index * tileWidth + place;
        const left = await below(level * 8 - 1, number * 2);
        const hash = await hasher.node(left, await below(level * 8 - 1, number * 2 + 1));
        if (!equalBytes(hash, tile.subarray(place * hashLength, (place + 1) * hashLength))) {
          throw new FastnessError('LOG_TILES_DAMAGED', `${tilePath({ level, index, width })}: hash ${place}.`);
        }
      }
    }
  }
}

/** The entries of bundle `bundle` in a tree of `size` entries. @throws LOG_TILE_MALFORMED, LOG_UNAVAILABLE */
export async function readEntries(source: LogSource, size: number, bundle: number): Promise<Uint8Array[]> {
  const name: TileName = { level: 'entries', index: bundle, width: widthIn(size, 'entries', bundle) };
  const exact = await source.read(tilePath(name));
  if (exact !== undefined) return decodeEntries(exact, name.width);
  const full = await source.read(tilePath({ ...name, width: tileWidth }));
  if (full === undefined) throw new FastnessError('LOG_UNAVAILABLE', `It has no ${tilePath(name)}.`);
  return decodeEntries(full, tileWidth).slice(0, name.width);
}

/**
 * Entries `from` up to `to`, each checked to be in the tree of `checkpoint`, without reading the rest of the log.
 * @throws LOG_RANGE, LOG_INCLUSION, LOG_UNAVAILABLE
 */
export async function* provenEntries(
  source: LogSource,
  checkpoint: TreeHead,
  from: number,
  to = checkpoint.size,
): AsyncGenerator<{ index: number; entry: Uint8Array }> {
  const { size, root } = checkpoint;
  const hasher = source.hasher ?? webHasher;
  const read = readSubtrees(source, size);
  let bundle: { readonly index: number; readonly entries: Uint8Array[] } | undefined;
  for (let index = from; index < to; index += 1) {
    const number = Math.floor(index / tileWidth);
    if (bundle?.index !== number) bundle = { index: number, entries: await readEntries(source, size, number) };
    const entry = bundle.entries[index % tileWidth];
    if (entry === undefined) throw new FastnessError('LOG_RANGE', `Entry ${index} of ${size}.`);
    const proof = await proveInclusion({ index, size, read, hasher });
    await verifyInclusion({ index, size, root, proof, hasher, leafHash: await hasher.leaf(entry) });
    yield { index, entry };
  }
}

/** An offline proof of entry `index`, with the entry beside it. Verify it: a source may give anything. @throws LOG_RANGE */
export async function makeProof(source: LogSource, checkpoint: VerifiedCheckpoint, index: number): Promise<string> {
  const { size, note } = checkpoint;
  const hashes = await proveInclusion({
    index,
    size,
    read: readSubtrees(source, size),
    ...(source.hasher === undefined ? {} : { hasher: source.hasher }),
  });
  const bundle = Math.floor(index / tileWidth);
  const entry = (await readEntries(source, size, bundle))[index - bundle * tileWidth];
  if (entry === undefined) throw new FastnessError('LOG_RANGE', `Entry ${index} of ${size}.`);
  return encodeProof({ index, hashes, checkpoint: note, extra: entry });
}

/** The consistency proof between two sizes of the log. @throws LOG_RANGE */
export async function makeConsistencyProof(source: LogSource, oldSize: number, newSize: number): Promise<Uint8Array[]> {
  return await proveConsistency({
    oldSize,
    newSize,
    read: readSubtrees(source, newSize),
    ...(source.hasher === undefined ? {} : { hasher: source.hasher }),
  });
}
