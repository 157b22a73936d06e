import { FastnessError } from '../errors/index.ts';

/** A key of a map: an integer (bigint only outside the safe range) or text. */
export type CborKey = number | bigint | string;

export type CborMap = ReadonlyMap<CborKey, CborValue>;

/**
 * The values this codec knows: integers from -2^64 to 2^64-1 (bigint only outside the safe range), text, booleans,
 * null, byte strings, arrays, maps and tags. Floating point and `undefined` are left out: two readers may
 * disagree about them, and no format here needs them.
 */
export type CborValue =
  number | bigint | string | boolean | null | Uint8Array | readonly CborValue[] | CborMap | CborTag;

/** A tagged value (RFC 8949, section 3.4). */
export class CborTag {
  readonly tag: number;
  readonly value: CborValue;

  /** @throws CODEC_VALUE when `tag` is not an integer from 0 to 2^53-1 */
  constructor(tag: number, value: CborValue) {
    if (!Number.isSafeInteger(tag) || tag < 0) throw new FastnessError('CODEC_VALUE', 'Not a tag number.');
    this.tag = tag;
    this.value = value;
  }
}

/** What a decoder accepts at most. */
export interface CborLimits {
  /** Bytes of input. */
  readonly maxBytes: number;
  /** Levels of arrays, maps and tags. */
  readonly maxDepth: number;
  /** Data items in all: bounds the memory that small input can claim. */
  readonly maxItems: number;
}

export const defaultCborLimits: CborLimits = Object.freeze({ maxBytes: 1 << 20, maxDepth: 16, maxItems: 1 << 16 });
