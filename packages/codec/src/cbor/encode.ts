import { compareBytes, concatBytes } from '../bytes/bytes.ts';
import { u16be, u32be, u64be } from '../bytes/integers.ts';
import { utf8Encode } from '../bytes/utf8.ts';
import { FastnessError } from '../errors/index.ts';
import { CborTag, type CborMap, type CborValue } from './types.ts';

const MAX_DEPTH = 64;

/**
 * Writes a value in the deterministic encoding of RFC 8949, section 4.2.1: shortest forms, map keys in bytewise
 * order. An integer is written alike as number and as bigint.
 * @throws CODEC_VALUE for a number that is no safe integer, an integer outside 64 bits, half a surrogate pair, two
 *   map keys that are the same integer, or a value nested deeper than 64 levels
 */
export function encodeCbor(value: CborValue): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  write(value, parts, 0);
  return concatBytes(...parts);
}

function write(value: CborValue, parts: Uint8Array[], depth: number): void {
  if (depth > MAX_DEPTH) throw new FastnessError('CODEC_VALUE', 'Nested too deep for CBOR.');
  if (value === null) parts.push(Uint8Array.of(0xf6));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xf5 : 0xf4));
  else if (typeof value === 'number' || typeof value === 'bigint') parts.push(integer(value));
  else if (typeof value === 'string') {
    const text = utf8Encode(value);
    parts.push(head(3, text.length), text);
  } else if (value instanceof Uint8Array) parts.push(head(2, value.length), value);
  else if (value instanceof CborTag) {
    parts.push(head(6, value.tag));
    write(value.value, parts, depth + 1);
  } else if (value instanceof Map) writeMap(value, parts, depth);
  else if (Array.isArray(value)) {
    parts.push(head(4, value.length));
    for (const each of value as readonly CborValue[]) write(each, parts, depth + 1);
  } else throw new FastnessError('CODEC_VALUE', 'A value that CBOR here does not know.');
}

function writeMap(map: CborMap, parts: Uint8Array[], depth: number): void {
  const entries = [...map].map(([key, value]) => ({ key: encodeCbor(key), value }));
  entries.sort((left, right) => compareBytes(left.key, right.key));
  parts.push(head(5, entries.length));
  let previous: Uint8Array | undefined;
  for (const { key, value } of entries) {
    // 1 and 1n are two keys of a Map and one key of CBOR.
    if (previous !== undefined && compareBytes(previous, key) === 0)
      throw new FastnessError('CODEC_VALUE', 'A key twice.');
    previous = key;
    parts.push(key);
    write(value, parts, depth + 1);
  }
}

function integer(value: number | bigint): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new FastnessError('CODEC_VALUE', 'Only integers can be written; use bigint above 2^53.');
  }
  return value < 0 ? head(1, -1n - BigInt(value)) : head(0, value);
}

function head(major: number, argument: number | bigint): Uint8Array {
  const initial = major << 5;
  if (argument < 24) return Uint8Array.of(initial | Number(argument));
  if (argument < 0x100) return Uint8Array.of(initial | 24, Number(argument));
  if (argument < 0x1_0000) return concatBytes(Uint8Array.of(initial | 25), u16be(Number(argument)));
  if (argument < 0x1_0000_0000) return concatBytes(Uint8Array.of(initial | 26), u32be(Number(argument)));
  return concatBytes(Uint8Array.of(initial | 27), u64be(argument));
}
