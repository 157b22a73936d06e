import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { PullReader } from '../pull-reader.ts';
import { encodeVarint } from '../varint.ts';
import type { MessageLimits } from './limits.ts';

/** Field lines in order; names in lower case, values as byte strings (each code unit is one byte). */
export type FieldLines = readonly (readonly [name: string, value: string])[];

const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
// A value holds visible characters and obs-text, with spaces and tabs between them (RFC 9110 section 5.5).
const valuePattern = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/**
 * Fields that describe one hop's connection or the framing that this format replaces. Carried through, they would mean
 * something else to the server behind the gateway: the material of request smuggling.
 */
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @throws FastnessError `CHANNEL_HTTP_FIELD`; the detail never holds the value. */
function checkField(name: string, value: string): void {
  if (!namePattern.test(name)) throw new FastnessError('CHANNEL_HTTP_FIELD', 'A name that is no lower-case token.');
  if (connectionFields.has(name)) throw new FastnessError('CHANNEL_HTTP_FIELD', `${name} belongs to a connection.`);
  if (!valuePattern.test(value))
    throw new FastnessError('CHANNEL_HTTP_FIELD', `A character in ${name} is not allowed.`);
}

/** Byte string to bytes. */
export function latin1Encode(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** Bytes to byte string; in pieces, as a call takes a limited number of arguments. */
export function latin1Decode(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}

/** Field lines without length or terminator. */
export function encodeFieldLines(fields: FieldLines): Uint8Array {
  return concatBytes(
    ...fields.flatMap(([name, value]) => {
      checkField(name, value);
      return [encodeVarint(name.length), latin1Encode(name), encodeVarint(value.length), latin1Encode(value)];
    }),
  );
}

/** Lines of a `Headers`, less those that belong to a connection. */
export function fieldLinesOf(headers: HeadersInit | undefined): FieldLines {
  return [...new Headers(headers)].filter(([name]) => !connectionFields.has(name));
}

/** Counts what a section holds against the limits, and reads its lines. */
export class FieldSectionReader {
  readonly #reader: PullReader;
  readonly #limits: MessageLimits;
  readonly #headers = new Headers();
  #count = 0;
  #bytes = 0;

  constructor(reader: PullReader, limits: MessageLimits) {
    this.#reader = reader;
    this.#limits = limits;
  }

  get headers(): Headers {
    return this.#headers;
  }

  /** Reads the lines of a section that is on hand as a whole. */
  static async whole(bytes: Uint8Array, limits: MessageLimits): Promise<Headers> {
    let given = false;
    const next = () => {
      const result = given ? undefined : bytes;
      given = true;
      return Promise.resolve(result);
    };
    const section = new FieldSectionReader(new PullReader(next, cutShort), limits);
    while (!(await section.#reader.atEnd())) {
      const nameLength = await section.#reader.varint('CHANNEL_HTTP_MALFORMED');
      await section.line(nameLength);
    }
    return section.headers;
  }

  /** Reads the line whose name is `nameLength` bytes long. */
  async line(nameLength: number): Promise<void> {
    this.#count += 1;
    if (this.#count > this.#limits.fields) throw limit(`More than ${this.#limits.fields} lines.`);
    this.#claim(nameLength);
    const name = latin1Decode(await this.#reader.take(nameLength));
    const valueLength = await this.#reader.varint('CHANNEL_HTTP_MALFORMED');
    this.#claim(valueLength);
    const value = latin1Decode(await this.#reader.take(valueLength));
    checkField(name, value);
    this.#headers.append(name, value);
  }

  #claim(length: number): void {
    this.#bytes += length;
    if (this.#bytes > this.#limits.fieldBytes) throw limit(`More than ${this.#limits.fieldBytes} bytes.`);
  }
}

function cutShort(): FastnessError {
  return new FastnessError('CHANNEL_HTTP_MALFORMED', 'A line runs past its section.');
}

function limit(detail: string): FastnessError {
  return new FastnessError('CHANNEL_HTTP_LIMIT', detail);
}
