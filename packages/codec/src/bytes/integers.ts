import { FastnessError } from '../errors/index.ts';

/** Two bytes, big-endian. @throws CODEC_VALUE outside 0..2^16-1. */
export function u16be(value: number): Uint8Array<ArrayBuffer> {
  checkRange(value, 0xffff);
  return Uint8Array.of(value >> 8, value & 0xff);
}

/** Four bytes, big-endian. @throws CODEC_VALUE outside 0..2^32-1. */
export function u32be(value: number): Uint8Array<ArrayBuffer> {
  checkRange(value, 0xffff_ffff);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Two bytes, little-endian. @throws CODEC_VALUE outside 0..2^16-1. */
export function u16le(value: number): Uint8Array<ArrayBuffer> {
  checkRange(value, 0xffff);
  return Uint8Array.of(value & 0xff, value >> 8);
}

/** Four bytes, little-endian. @throws CODEC_VALUE outside 0..2^32-1. */
export function u32le(value: number): Uint8Array<ArrayBuffer> {
  checkRange(value, 0xffff_ffff);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Eight bytes, big-endian; a number must be a safe integer. @throws CODEC_VALUE outside 0..2^64-1. */
export function u64be(value: number | bigint): Uint8Array<ArrayBuffer> {
  if (typeof value === 'number') checkRange(value, Number.MAX_SAFE_INTEGER);
  const wide = BigInt(value);
  if (wide < 0n || wide > 0xffff_ffff_ffff_ffffn)
    throw new FastnessError('CODEC_VALUE', 'Not an unsigned 64-bit integer.');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, wide);
  return bytes;
}

function checkRange(value: number, maximum: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > maximum) {
    throw new FastnessError('CODEC_VALUE', `Not an integer from 0 to ${maximum}.`);
  }
}
