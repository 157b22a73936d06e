import { FastnessError } from '@fastness/codec/errors';
import { parseSize } from '../merkle/sizes.ts';

/** Hashes in a full tile, entries in a full bundle. */
export const tileWidth = 256;

/** Levels of the tree between two levels of tiles. */
export const tileHeight = 8;

/** A tile: `level` counts in tiles, or is `entries` for the bundle of the entries themselves. */
export interface TileName {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 256; less than 256 is a partial tile. */
  readonly width: number;
}

const pattern =
  /^tile\/(?<level>entries|0|[1-9]|[1-5]\d|6[0-3])\/(?<index>(?:x\d{3}\/){0,5}\d{3})(?:\.p\/(?<width>[1-9]\d{0,2}))?$/;

/**
 * The path of a tile, c2sp.org/tlog-tiles: `tile/<level>/<index>[.p/<width>]`, the index in groups of three digits of which
 * all but the last begin with an x.
 */
export function tilePath({ level, index, width }: TileName): string {
  if (!Number.isSafeInteger(index) || index < 0 || !Number.isSafeInteger(width) || width < 1 || width > tileWidth) {
    throw new FastnessError('LOG_RANGE', 'No such tile.');
  }
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  const path = groups.map((group, place) => (place < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${path}${width === tileWidth ? '' : `.p/${width}`}`;
}

/** Reads such a path; undefined for anything else, other spellings of a tile included. */
export function parseTilePath(path: string): TileName | undefined {
  const { level, index, width } = pattern.exec(path)?.groups ?? {};
  if (level === undefined || index === undefined) return undefined;
  const number = parseSize(index.replaceAll(/[x/]/g, '').replace(/^0+(?=\d)/, ''));
  if (number === undefined) return undefined;
  const name: TileName = {
    level: level === 'entries' ? level : Number(level),
    index: number,
    width: width === undefined ? tileWidth : Number(width),
  };
  return name.width <= tileWidth && tilePath(name) === path ? name : undefined;
}

/** Hashes that tile `index` of a level has in a tree of `size` entries: 0 when there is no such tile. */
export function widthIn(size: number, level: number | 'entries', index: number): number {
  const across = level === 'entries' ? size : Math.floor(size / tileWidth ** level);
  return Math.min(tileWidth, Math.max(0, across - index * tileWidth));
}
