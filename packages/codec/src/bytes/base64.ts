import { FastnessError } from '../errors/index.ts';

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;
const STANDARD_VALUES = valuesOf(STANDARD);
const URL_SAFE_VALUES = valuesOf(URL_SAFE);

/** Base64 with padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  const text = encode(bytes, STANDARD);
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/**
 * Reads base64 with padding: no white space, the padding complete, unused bits zero, so every byte string has
 * exactly one text.
 * @throws CODEC_TRUNCATED, CODEC_MALFORMED, CODEC_NOT_CANONICAL
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 4 !== 0) throw new FastnessError('CODEC_TRUNCATED', 'Base64 without its padding.');
  let end = text.length;
  if (text.endsWith('==')) end -= 2;
  else if (text.endsWith('=')) end -= 1;
  return decode(text, end, STANDARD_VALUES);
}

/** Base64url without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE);
}

/**
 * Reads base64url without padding; the alphabet of section 4, padding and white space are refused.
 * @throws CODEC_TRUNCATED, CODEC_MALFORMED, CODEC_NOT_CANONICAL
 */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return decode(text, text.length, URL_SAFE_VALUES);
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = '';
  let pending = 0;
  let bits = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += alphabet[(pending >> bits) & 63] ?? '';
    }
  }
  return bits === 0 ? text : text + (alphabet[(pending << (6 - bits)) & 63] ?? '');
}

function decode(text: string, end: number, values: Int8Array): Uint8Array<ArrayBuffer> {
  if (end % 4 === 1) throw new FastnessError('CODEC_TRUNCATED', 'Base64 with a lone character.');
  const bytes = new Uint8Array(Math.floor((end * 6) / 8));
  let offset = 0;
  let pending = 0;
  let bits = 0;
  for (let index = 0; index < end; index += 1) {
    const value = values[text.charCodeAt(index)] ?? -1;
    if (value < 0) throw new FastnessError('CODEC_MALFORMED', `Not a base64 character at ${index}.`);
    pending = ((pending << 6) | value) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[offset] = (pending >> bits) & 0xff;
      offset += 1;
    }
  }
  if ((pending & ((1 << bits) - 1)) !== 0)
    throw new FastnessError('CODEC_NOT_CANONICAL', 'Base64 with unused bits set.');
  return bytes;
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let index = 0; index < alphabet.length; index += 1) values[alphabet.charCodeAt(index)] = index;
  return values;
}
