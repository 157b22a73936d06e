import { FastnessError } from '../errors/index.ts';

/** Checks that the content of an INTEGER is in its shortest form, and returns it. */
export function decodeInteger(content: Uint8Array): Uint8Array {
  const first = content[0];
  const second = content[1];
  if (first === undefined) throw new FastnessError('CODEC_MALFORMED', 'An empty INTEGER.');
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new FastnessError('CODEC_NOT_CANONICAL', 'An INTEGER that is not in its shortest form.');
  }
  return content;
}

/** An INTEGER from 0 to 2^31-1. */
export function decodeSmallInteger(content: Uint8Array): number {
  const bytes = decodeInteger(content);
  if ((bytes[0] ?? 0) >= 0x80 || bytes.length > 4) {
    throw new FastnessError('CODEC_LIMIT', 'An INTEGER outside 0 to 2^31-1.');
  }
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

/** DER knows one octet for TRUE and one for FALSE. */
export function decodeBoolean(content: Uint8Array): boolean {
  if (content.length !== 1) throw new FastnessError('CODEC_MALFORMED', 'A BOOLEAN is one octet.');
  if (content[0] !== 0 && content[0] !== 0xff) throw new FastnessError('CODEC_NOT_CANONICAL', 'A BOOLEAN of BER.');
  return content[0] === 0xff;
}

/** The octets of a BIT STRING and how many bits of the last one are unused; those must be zero. */
export function decodeBitString(content: Uint8Array): { unusedBits: number; bytes: Uint8Array } {
  const unusedBits = content[0];
  if (unusedBits === undefined || unusedBits > 7) throw new FastnessError('CODEC_MALFORMED', 'A BIT STRING header.');
  const bytes = content.subarray(1);
  if (bytes.length === 0 && unusedBits > 0) throw new FastnessError('CODEC_MALFORMED', 'A BIT STRING header.');
  if (((bytes.at(-1) ?? 0) & ((1 << unusedBits) - 1)) !== 0) {
    throw new FastnessError('CODEC_NOT_CANONICAL', 'A BIT STRING with unused bits set.');
  }
  return { unusedBits, bytes };
}

/** Dotted form of an OBJECT IDENTIFIER of at most 64 octets whose arcs stay below 2^53. */
export function decodeOid(content: Uint8Array): string {
  if (content.length === 0) throw new FastnessError('CODEC_MALFORMED', 'An empty OBJECT IDENTIFIER.');
  if (content.length > 64) throw new FastnessError('CODEC_LIMIT', 'An OBJECT IDENTIFIER of more than 64 octets.');
  let text = '';
  let arc = 0;
  let started = false;
  for (const byte of content) {
    if (!started && byte === 0x80) throw new FastnessError('CODEC_NOT_CANONICAL', 'An OID arc with leading zeros.');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new FastnessError('CODEC_LIMIT', 'An OID arc above 2^53.');
    started = byte >= 0x80;
    if (!started) {
      text += text === '' ? firstArcs(arc) : `.${arc}`;
      arc = 0;
    }
  }
  if (started) throw new FastnessError('CODEC_TRUNCATED', 'An OID ends inside an arc.');
  return text;
}

/** The first two arcs, which are written as one. */
function firstArcs(joined: number): string {
  const root = Math.min(2, Math.floor(joined / 40));
  return `${root}.${joined - root * 40}`;
}
