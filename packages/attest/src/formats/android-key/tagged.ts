import { ByteReader } from '@fastness/codec';
import { DerReader } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { MAX_AUTHORIZATIONS } from './layout.ts';

/**
 * Reads the elements of an authorization list: `[tag] EXPLICIT value`, with tags up to 2^21 (X.690, section 8.1.2.4), in
 * ascending order and none twice, as a SEQUENCE of optional fields asks. Lengths and tags in their shortest form.
 * Throws ANDROID_TAG_ORDER, CODEC_....
 */
export function readTagged(list: Uint8Array): readonly (readonly [tag: number, content: DerReader])[] {
  const reader = new ByteReader(list);
  const elements: [number, DerReader][] = [];
  let before = -1;
  while (reader.remaining > 0) {
    const tag = readTag(reader);
    if (tag <= before) throw new FastnessError('ANDROID_TAG_ORDER', `Tag ${tag} after ${before}.`);
    if (elements.length >= MAX_AUTHORIZATIONS) throw new FastnessError('CODEC_LIMIT', 'Too many authorizations.');
    elements.push([tag, new DerReader(reader.take(readLength(reader)))]);
    before = tag;
  }
  return elements;
}

/** Identifier octets of a constructed element of the context-specific class. */
function readTag(reader: ByteReader): number {
  const first = reader.u8();
  if ((first & 0xe0) !== 0xa0) throw new FastnessError('CODEC_MALFORMED', 'Not a context-specific constructed tag.');
  const low = first & 0x1f;
  if (low !== 0x1f) return low;
  let tag = 0;
  for (let octets = 0; octets < 3; octets += 1) {
    const octet = reader.u8();
    if (octets === 0 && octet === 0x80) throw new FastnessError('CODEC_NOT_CANONICAL', 'A tag with leading zeros.');
    tag = tag * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      if (tag < 0x1f) throw new FastnessError('CODEC_NOT_CANONICAL', 'A low tag in the form of a high one.');
      return tag;
    }
  }
  throw new FastnessError('CODEC_LIMIT', 'A tag above 2^21.');
}

function readLength(reader: ByteReader): number {
  const first = reader.u8();
  if (first < 0x80) return first;
  if (first !== 0x81 && first !== 0x82) throw new FastnessError('CODEC_LIMIT', 'A length of more than two octets.');
  const length = first === 0x81 ? reader.u8() : reader.u16be();
  if (length < (first === 0x81 ? 0x80 : 0x100))
    throw new FastnessError('CODEC_NOT_CANONICAL', 'A length that is not in its shortest form.');
  return length;
}
