import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** Largest value that this package writes or reads: 2^53 - 1, far above every limit of its formats. */
const maxValue = Number.MAX_SAFE_INTEGER;

/** Length in bytes of a QUIC variable-length integer by its first byte (RFC 9000 section 16). */
export function varintLength(firstByte: number): number {
  return 1 << (firstByte >> 6);
}

/** Encodes a QUIC variable-length integer in its shortest form. */
export function encodeVarint(value: number): Uint8Array {
  if (value < 0x40) return Uint8Array.of(value);
  if (value < 0x4000) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  const bytes = new Uint8Array(value < 0x40000000 ? 4 : 8);
  const view = new DataView(bytes.buffer);
  if (bytes.length === 4) view.setUint32(0, 0x80000000 + value);
  else view.setBigUint64(0, 0xc000000000000000n | BigInt(value));
  return bytes;
}

/**
 * Decodes the variable-length integer that `bytes` holds exactly. Longer forms than needed are refused, so that a
 * message has one encoding.
 * @throws FastnessError `code`
 */
export function decodeVarint(bytes: Uint8Array, code: ErrorCode): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let value: number;
  if (bytes.length === 1) value = view.getUint8(0);
  else if (bytes.length === 2) value = view.getUint16(0) & 0x3fff;
  else if (bytes.length === 4) value = view.getUint32(0) & 0x3fffffff;
  else {
    const wide = view.getBigUint64(0) & 0x3fffffffffffffffn;
    if (wide > BigInt(maxValue)) throw new FastnessError(code, 'A length above 2^53.');
    value = Number(wide);
  }
  if (encodeVarint(value).length !== bytes.length)
    throw new FastnessError(code, 'A length that is not in shortest form.');
  return value;
}
