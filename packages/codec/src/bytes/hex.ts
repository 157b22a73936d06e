import { FastnessError } from '../errors/index.ts';

const DIGITS = '0123456789abcdef';
const OCTETS: readonly string[] = Array.from(
  { length: 256 },
  (_, octet) => `${DIGITS.charAt(octet >> 4)}${DIGITS.charAt(octet & 15)}`,
);

/** Lower-case hexadecimal, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += OCTETS[byte] ?? '';
  return text;
}

/**
 * Reads hexadecimal: an even number of digits, either case, nothing else.
 * @throws CODEC_TRUNCATED for an odd number of digits, CODEC_MALFORMED for any other character.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0) throw new FastnessError('CODEC_TRUNCATED', `Hex of ${text.length} digits.`);
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    const high = digit(text.charCodeAt(index * 2));
    const low = digit(text.charCodeAt(index * 2 + 1));
    if (high < 0 || low < 0) throw new FastnessError('CODEC_MALFORMED', `Not a hex digit near ${index * 2}.`);
    bytes[index] = (high << 4) | low;
  }
  return bytes;
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
