import { plainView } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import { contextConstructed, derTags } from './tags.ts';
import { decodeBitString, decodeBoolean, decodeInteger, decodeOid, decodeSmallInteger } from './primitives.ts';
import { decodeText } from './text.ts';
import { decodeTime } from './time.ts';

/** One element: its identifier octet, its content, and both with the length between them (`raw`). */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly raw: Uint8Array;
}

const MAX_DEPTH = 24;

/**
 * Reads a strict subset of DER (X.690): definite lengths in their shortest form, one-byte tags, contents in their
 * one allowed encoding, at most 24 levels. Views of the input are returned, never copies.
 * Read the fields of a structure in order and call `end()`; unread elements are refused, not skipped.
 * Not checked: the order of the members of a SET OF.
 * @throws CODEC_TRUNCATED, CODEC_TRAILING, CODEC_MALFORMED, CODEC_NOT_CANONICAL, CODEC_LIMIT, CODEC_UNSUPPORTED
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  #offset: number;
  /** Where the elements end, which is before the end of the bytes for a reader inside another. */
  readonly #end: number;
  /** Where the content of the element read last begins; it ends at the offset. */
  #content = 0;

  constructor(bytes: Uint8Array, depth = 0, span?: { readonly start: number; readonly end: number }) {
    if (depth > MAX_DEPTH) throw new FastnessError('CODEC_LIMIT', `DER nested deeper than ${MAX_DEPTH} levels.`);
    this.#bytes = plainView(bytes);
    this.#depth = depth;
    this.#offset = span?.start ?? 0;
    this.#end = span?.end ?? this.#bytes.length;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** The identifier octet of the next element; undefined at the end. */
  peek(): number | undefined {
    return this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
  }

  /** Reads the next element, whatever its tag is. */
  element(): DerElement {
    const start = this.#offset;
    const tag = this.#skip();
    return { tag, content: this.#lastContent(), raw: this.#bytes.subarray(start, this.#offset) };
  }

  /** Reads the next element, which must carry `tag`. */
  expect(tag: number): DerElement {
    this.#require(tag);
    return this.element();
  }

  /** Reads the next element when it carries `tag`; otherwise leaves it and returns undefined. */
  optional(tag: number): DerElement | undefined {
    return this.peek() === tag ? this.element() : undefined;
  }

  /** A reader over the content of `element`, one level deeper. */
  inside(element: DerElement): DerReader {
    return new DerReader(element.content, this.#depth + 1);
  }

  /** A reader over the next element's content; the element must be a SEQUENCE. */
  sequence(): DerReader {
    return this.#enter(derTags.sequence);
  }

  /** A reader over the next element's content; the element must be a SET. */
  set(): DerReader {
    return this.#enter(derTags.set);
  }

  /** A reader over the content of [number], or undefined when the next element is another one. */
  explicit(number: number): DerReader | undefined {
    const tag = contextConstructed(number);
    return this.peek() === tag ? this.#enter(tag) : undefined;
  }

  /** The two's complement octets of an INTEGER, in their shortest form. */
  integer(): Uint8Array {
    return decodeInteger(this.#contentOf(derTags.integer));
  }

  /** An INTEGER from 0 to 2^31-1. */
  smallInteger(): number {
    return decodeSmallInteger(this.#contentOf(derTags.integer));
  }

  boolean(): boolean {
    return decodeBoolean(this.#contentOf(derTags.boolean));
  }

  null(): void {
    if (this.#contentOf(derTags.null).length > 0) throw new FastnessError('CODEC_MALFORMED', 'A NULL with content.');
  }

  /** Dotted form of an OBJECT IDENTIFIER. */
  oid(): string {
    return decodeOid(this.#contentOf(derTags.oid));
  }

  octetString(): Uint8Array {
    return this.#contentOf(derTags.octetString);
  }

  /** The octets of a BIT STRING that uses all of its bits, as keys and signatures do. */
  bitString(): Uint8Array {
    const { unusedBits, bytes } = decodeBitString(this.#contentOf(derTags.bitString));
    if (unusedBits !== 0) throw new FastnessError('CODEC_MALFORMED', 'A BIT STRING that is not whole bytes.');
    return bytes;
  }

  /**
   * The flags of a BIT STRING with named bits; the first bit is flag 0. DER drops zeros at the end;
   * `trailingZeros: 'ignore'` reads them all the same.
   */
  namedBits(options: { readonly trailingZeros?: 'refuse' | 'ignore' } = {}): boolean[] {
    const { unusedBits, bytes } = decodeBitString(this.#contentOf(derTags.bitString));
    const flags: boolean[] = [];
    for (const byte of bytes) for (let bit = 7; bit >= 0; bit -= 1) flags.push(((byte >> bit) & 1) === 1);
    flags.length -= unusedBits;
    if (flags.at(-1) === false && options.trailingZeros !== 'ignore') {
      throw new FastnessError('CODEC_NOT_CANONICAL', 'Named bits that end in zeros.');
    }
    return flags.slice(0, flags.lastIndexOf(true) + 1);
  }

  /** Text of a UTF8String, PrintableString or IA5String. */
  text(): string {
    return decodeText(this.element());
  }

  /** A UTCTime (1950..2049) or GeneralizedTime, in UTC and with seconds, as RFC 5280 profiles them. */
  time(): Date {
    const tag = this.#skip();
    return decodeTime({ tag, content: this.#lastContent() });
  }

  /** @throws CODEC_TRAILING when elements are left. */
  end(): void {
    if (this.remaining > 0) throw new FastnessError('CODEC_TRAILING', `${this.remaining} bytes of DER are left.`);
  }

  #require(tag: number): void {
    const found = this.peek();
    if (found === undefined) throw new FastnessError('CODEC_TRUNCATED', `DER tag ${tag} is missing.`);
    if (found !== tag) throw new FastnessError('CODEC_MALFORMED', `DER tag ${tag} expected, ${found} found.`);
  }

  /** Reads the next element, which must carry `tag`; returns its content. */
  #contentOf(tag: number): Uint8Array {
    this.#require(tag);
    this.#skip();
    return this.#lastContent();
  }

  /** A reader over the content of the next element, which must carry `tag`: over the same bytes, without a view of them. */
  #enter(tag: number): DerReader {
    this.#require(tag);
    this.#skip();
    return new DerReader(this.#bytes, this.#depth + 1, { start: this.#content, end: this.#offset });
  }

  #lastContent(): Uint8Array {
    return this.#bytes.subarray(this.#content, this.#offset);
  }

  /** Reads the next element's header and goes behind its content; returns the tag. */
  #skip(): number {
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new FastnessError('CODEC_UNSUPPORTED', 'A DER tag above 30.');
    if (tag === 0) throw new FastnessError('CODEC_MALFORMED', 'DER tag 0.');
    const length = this.#length();
    if (length > this.remaining) {
      throw new FastnessError('CODEC_TRUNCATED', `A DER element of ${length} bytes, ${this.remaining} left.`);
    }
    this.#content = this.#offset;
    this.#offset += length;
    return tag;
  }

  #byte(): number {
    const byte = this.peek();
    if (byte === undefined) throw new FastnessError('CODEC_TRUNCATED', 'DER ends inside a header.');
    this.#offset += 1;
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0) throw new FastnessError('CODEC_NOT_CANONICAL', 'An indefinite length.');
    if (octets > 4) throw new FastnessError('CODEC_LIMIT', 'A DER length of more than four octets.');
    let length = 0;
    for (let index = 0; index < octets; index += 1) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (octets - 1)) {
      throw new FastnessError('CODEC_NOT_CANONICAL', 'A DER length that is not in its shortest form.');
    }
    return length;
  }
}

/**
 * Reads one whole structure: `read` gets the reader of a SEQUENCE that must span all of `bytes`, and must consume it.
 */
export function readDerSequence<T>(bytes: Uint8Array, read: (fields: DerReader) => T): T {
  const outer = new DerReader(bytes);
  const fields = outer.sequence();
  outer.end();
  const value = read(fields);
  fields.end();
  return value;
}
