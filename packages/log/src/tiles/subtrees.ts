import { FastnessError } from '@fastness/codec/errors';
import { hashLength, webHasher, type TreeHasher } from '../merkle/hasher.ts';
import type { ReadSubtree } from '../merkle/prove.ts';
import { tileHeight, tilePath, tileWidth, widthIn, type TileName } from './path.ts';

/** Gives the hashes of a tile, 32 bytes each, at least `width` of them. */
export type ReadTile = (tile: TileName & { readonly level: number }) => Uint8Array | Promise<Uint8Array>;

/**
 * Perfect subtrees of the tree of `size` entries, out of its tiles. What a tile says is believed: compare a root made of it
 * with a signed one. @throws LOG_TILE_MALFORMED for a tile of the wrong length
 */
export function subtreesOf(options: { size: number; readTile: ReadTile; hasher?: TreeHasher }): ReadSubtree {
  const { size, readTile, hasher = webHasher } = options;
  return async (level, index) => {
    const tileLevel = Math.floor(level / tileHeight);
    const across = 2 ** (level % tileHeight);
    const first = index * across;
    const tile = Math.floor(first / tileWidth);
    const name = { level: tileLevel, index: tile, width: widthIn(size, tileLevel, tile) };
    const offset = first - tile * tileWidth;
    if (offset + across > name.width) throw new FastnessError('LOG_RANGE', `No subtree ${index} of level ${level}.`);
    const bytes = await readTile(name);
    if (bytes.length < name.width * hashLength || bytes.length % hashLength !== 0) {
      throw new FastnessError('LOG_TILE_MALFORMED', `${tilePath(name)}: ${bytes.length} bytes.`);
    }
    return await perfectRoot(bytes.subarray(offset * hashLength, (offset + across) * hashLength), hasher);
  };
}

/** The root over a power of two of hashes, 32 bytes each. */
export async function perfectRoot(hashes: Uint8Array, hasher: TreeHasher = webHasher): Promise<Uint8Array> {
  let row: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += hashLength) row.push(hashes.slice(at, at + hashLength));
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) {
      const [left, right] = [row[at], row[at + 1]];
      if (left !== undefined && right !== undefined) above.push(await hasher.node(left, right));
    }
    row = above;
  }
  const [root] = row;
  if (root === undefined) throw new FastnessError('LOG_TILE_MALFORMED', 'It is empty.');
  return root;
}
