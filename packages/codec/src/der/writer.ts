import { compareBytes, concatBytes } from '../bytes/bytes.ts';
import { utf8Encode } from '../bytes/utf8.ts';
import { FastnessError } from '../errors/index.ts';
import { contextConstructed, contextPrimitive, derTags } from './tags.ts';
import { encodeOid } from './write-oid.ts';

function tagged(tag: number, ...contents: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concatBytes(...contents);
  return concatBytes(Uint8Array.of(tag), lengthOctets(content.length), content);
}

function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.of(0x80 | octets.length, ...octets);
}

function integer(value: number | bigint): Uint8Array<ArrayBuffer> {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new FastnessError('CODEC_VALUE', 'Not an integer.');
  const octets: number[] = [];
  let rest = BigInt(value);
  do {
    octets.unshift(Number(BigInt.asUintN(8, rest)));
    rest >>= 8n;
  } while (rest !== 0n && rest !== -1n);
  const first = octets[0] ?? 0;
  if (rest === 0n && first >= 0x80) octets.unshift(0);
  if (rest === -1n && first < 0x80) octets.unshift(0xff);
  return tagged(derTags.integer, Uint8Array.from(octets));
}

/** INTEGER of unsigned big-endian bytes, such as half of a signature or a serial number. */
function unsigned(magnitude: Uint8Array): Uint8Array<ArrayBuffer> {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const rest = magnitude.subarray(start);
  if (rest.length === 0) return tagged(derTags.integer, Uint8Array.of(0));
  return tagged(derTags.integer, Uint8Array.from((rest[0] ?? 0) >= 0x80 ? [0] : []), rest);
}

function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array<ArrayBuffer> {
  return tagged(derTags.bitString, Uint8Array.of(unusedBits), bytes);
}

/** BIT STRING of named bits, in the shortest form; flag 0 is the first bit. */
function namedBits(flags: readonly boolean[]): Uint8Array<ArrayBuffer> {
  const count = flags.lastIndexOf(true) + 1;
  const bytes = new Uint8Array(Math.ceil(count / 8));
  for (let index = 0; index < count; index += 1) {
    if (flags[index] === true) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7));
  }
  return bitString(bytes, bytes.length * 8 - count);
}

/** UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280, section 4.1.2.5); milliseconds are dropped. */
function time(date: Date): Uint8Array<ArrayBuffer> {
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 1950 || year > 9999) throw new FastnessError('CODEC_VALUE', 'A date out of range.');
  const digits = `${date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`;
  return year < 2050
    ? tagged(derTags.utcTime, utf8Encode(digits.slice(2)))
    : tagged(derTags.generalizedTime, utf8Encode(digits));
}

/**
 * Writers of DER elements; every one returns the whole element. Strings are written as given: it is the caller
 * who keeps a PrintableString inside its alphabet.
 */
export const der = Object.freeze({
  tagged,
  integer,
  unsigned,
  bitString,
  namedBits,
  time,
  sequence: (...elements: readonly Uint8Array[]) => tagged(derTags.sequence, ...elements),
  /** SET OF, with its members in the order that DER wants. */
  set: (...elements: readonly Uint8Array[]) => tagged(derTags.set, ...[...elements].sort(compareBytes)),
  boolean: (value: boolean) => tagged(derTags.boolean, Uint8Array.of(value ? 0xff : 0)),
  null: () => tagged(derTags.null),
  oid: (dotted: string) => tagged(derTags.oid, encodeOid(dotted)),
  octetString: (bytes: Uint8Array) => tagged(derTags.octetString, bytes),
  utf8String: (text: string) => tagged(derTags.utf8String, utf8Encode(text)),
  printableString: (text: string) => tagged(derTags.printableString, utf8Encode(text)),
  ia5String: (text: string) => tagged(derTags.ia5String, utf8Encode(text)),
  enumerated: (value: number) => tagged(derTags.enumerated, Uint8Array.of(value)),
  /** [number] EXPLICIT, or IMPLICIT of a constructed type. */
  explicit: (number: number, ...elements: readonly Uint8Array[]) => tagged(contextConstructed(number), ...elements),
  /** [number] IMPLICIT of a primitive type with this content. */
  implicit: (number: number, content: Uint8Array) => tagged(contextPrimitive(number), content),
});
