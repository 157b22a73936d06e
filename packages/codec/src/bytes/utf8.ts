import { FastnessError } from '../errors/index.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * UTF-8 of `text`.
 * @throws CODEC_VALUE when `text` holds half a surrogate pair, which has no UTF-8 and would be replaced in silence.
 */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  if (!text.isWellFormed()) throw new FastnessError('CODEC_VALUE', 'Text with half a surrogate pair.');
  return encoder.encode(text);
}

/**
 * Text of UTF-8 bytes; a byte order mark is kept as a character.
 * @throws CODEC_MALFORMED for anything that is not UTF-8.
 */
export function utf8Decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new FastnessError('CODEC_MALFORMED', 'Not UTF-8.', { cause });
  }
}
