import { concatBytes } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';

/** One element. A primitive one has content, a constructed one has children. */
export interface BerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly children: readonly BerElement[];
}

const maxDepth = 12;
const maxElements = 4096;
const constructed = 0x20;

/**
 * Reads the subset of BER (X.690) that CMS messages use: definite lengths in their shortest form, indefinite lengths
 * of constructed elements, one-byte tags, at most 12 levels and 4096 elements, and nothing after the end.
 * Errors: CMS_MALFORMED.
 */
export function readBer(bytes: Uint8Array): BerElement {
  const cursor = { bytes, offset: 0, elements: 0 };
  const element = readElement(cursor, bytes.length, 0);
  if (cursor.offset !== bytes.length) throw malformed('Bytes are left.');
  return element;
}

interface Cursor {
  readonly bytes: Uint8Array;
  offset: number;
  elements: number;
}

function readElement(cursor: Cursor, end: number, depth: number): BerElement {
  cursor.elements += 1;
  if (depth > maxDepth || cursor.elements > maxElements)
    throw malformed('It is nested too deep or has too many parts.');
  const tag = readByte(cursor, end);
  if (tag === 0 || (tag & 0x1f) === 0x1f) throw malformed('A tag that is not used.');
  const isConstructed = (tag & constructed) !== 0;
  const length = readLength(cursor, end);
  if (length === undefined) {
    if (!isConstructed) throw malformed('A primitive element of indefinite length.');
    return { tag, content: new Uint8Array(0), children: readUntilEnd(cursor, end, depth) };
  }
  const stop = cursor.offset + length;
  if (stop > end) throw malformed('It is cut short.');
  if (!isConstructed) {
    const content = cursor.bytes.subarray(cursor.offset, stop);
    cursor.offset = stop;
    return { tag, content, children: [] };
  }
  const children: BerElement[] = [];
  while (cursor.offset < stop) children.push(readElement(cursor, stop, depth + 1));
  return { tag, content: new Uint8Array(0), children };
}

function readUntilEnd(cursor: Cursor, end: number, depth: number): BerElement[] {
  const children: BerElement[] = [];
  while (cursor.bytes[cursor.offset] !== 0 || cursor.offset >= end) {
    children.push(readElement(cursor, end, depth + 1));
  }
  cursor.offset += 1;
  if (readByte(cursor, end) !== 0) throw malformed('The end of an indefinite length is not 00 00.');
  return children;
}

/** Undefined for an indefinite length. */
function readLength(cursor: Cursor, end: number): number | undefined {
  const first = readByte(cursor, end);
  if (first < 0x80) return first;
  const octets = first & 0x7f;
  if (octets === 0) return undefined;
  if (octets > 3) throw malformed('A length of more than three octets.');
  let length = 0;
  for (let index = 0; index < octets; index += 1) length = length * 256 + readByte(cursor, end);
  if (length < 0x80 || length < 256 ** (octets - 1)) throw malformed('A length that is not in its shortest form.');
  return length;
}

function readByte(cursor: Cursor, end: number): number {
  const byte = cursor.bytes[cursor.offset];
  if (byte === undefined || cursor.offset >= end) throw malformed('It is cut short.');
  cursor.offset += 1;
  return byte;
}

/**
 * The octets of an OCTET STRING, whole or in parts. `tag` is that of the primitive form; in an [n] IMPLICIT string the
 * parts are plain OCTET STRINGs (X.690 section 8.7.3). Parts of parts are refused. Errors: CMS_MALFORMED.
 */
export function octetsOf(element: BerElement, tag = 0x04): Uint8Array {
  if (element.tag === tag) return element.content;
  if (element.tag !== (tag | constructed)) throw malformed('An OCTET STRING is missing.');
  if (element.children.some((part) => part.tag !== 0x04))
    throw malformed('A part of an OCTET STRING is something else.');
  return concatBytes(...element.children.map(({ content }) => content));
}

export function malformed(detail: string): FastnessError {
  return new FastnessError('CMS_MALFORMED', detail);
}
