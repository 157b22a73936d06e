import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** What JSON can say. Objects have no prototype, so a member named like one of `Object`'s is only a member. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** Bounds of one text. */
export interface JsonLimits {
  /** Bytes of UTF-8. */
  readonly maxBytes: number;
  /** Levels of objects and lists. */
  readonly maxDepth: number;
  /** Values in all, members and list entries alike. */
  readonly maxValues: number;
}

const blank = /[ \t\n\r]*/y;
const stringToken = /"[^"\\\p{Cc}]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\p{Cc}]*)*"/uy;
const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const wordToken = /true|false|null/y;

/**
 * Reads one JSON text (RFC 8259) that fills `bytes`. Stricter than `JSON.parse` where two readers could disagree about what
 * was signed: a member that is named twice, half of a surrogate pair, a control character, a byte order mark and a number
 * beyond the range of doubles are refused; so are texts past the limits. Integers beyond 2^53 lose their last digits.
 * Throws JWS_JSON, JWS_LIMIT, CODEC_MALFORMED (not UTF-8).
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  if (bytes.length > limits.maxBytes)
    throw new FastnessError('JWS_LIMIT', `JSON of ${bytes.length} bytes; at most ${limits.maxBytes}.`);
  return new Reader(utf8Decode(bytes), limits).document();
}

/** As {@link parseJson}, and the value must be an object. */
export function parseJsonObject(bytes: Uint8Array, limits: JsonLimits): JsonObject {
  const value = parseJson(bytes, limits);
  if (!isJsonObject(value)) throw new FastnessError('JWS_JSON', 'Not an object.');
  return value;
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

class Reader {
  readonly #text: string;
  readonly #limits: JsonLimits;
  #offset = 0;
  #values = 0;

  constructor(text: string, limits: JsonLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#match(blank);
    if (this.#offset !== this.#text.length) throw this.#wrong('text after the value');
    return value;
  }

  #value(depth: number): JsonValue {
    this.#values += 1;
    if (this.#values > this.#limits.maxValues) throw new FastnessError('JWS_LIMIT', 'JSON with too many values.');
    if (depth > this.#limits.maxDepth) throw new FastnessError('JWS_LIMIT', 'JSON nested too deeply.');
    this.#match(blank);
    const first = this.#text[this.#offset];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#list(depth);
    if (first === '"') return this.#string();
    const word = this.#match(wordToken);
    if (word !== undefined) return word === 'null' ? null : word === 'true';
    const number = Number(this.#match(numberToken) ?? Number.NaN);
    if (!Number.isFinite(number)) throw this.#wrong('no value');
    return number;
  }

  #object(depth: number): JsonObject {
    const members: Record<string, JsonValue> = { __proto__: null };
    this.#offset += 1;
    if (this.#punctuation('}')) return members;
    do {
      this.#match(blank);
      const name = this.#string();
      if (Object.hasOwn(members, name)) throw this.#wrong('a member that is named twice');
      if (!this.#punctuation(':')) throw this.#wrong('no colon');
      members[name] = this.#value(depth + 1);
    } while (this.#punctuation(','));
    if (!this.#punctuation('}')) throw this.#wrong('an object without its end');
    return Object.freeze(members);
  }

  #list(depth: number): readonly JsonValue[] {
    const entries: JsonValue[] = [];
    this.#offset += 1;
    if (this.#punctuation(']')) return entries;
    do entries.push(this.#value(depth + 1));
    while (this.#punctuation(','));
    if (!this.#punctuation(']')) throw this.#wrong('a list without its end');
    return Object.freeze(entries);
  }

  #string(): string {
    const token = this.#match(stringToken);
    if (token === undefined) throw this.#wrong('no string');
    const text: unknown = JSON.parse(token);
    if (typeof text !== 'string' || !text.isWellFormed()) throw this.#wrong('half of a surrogate pair');
    return text;
  }

  /** Takes one character of structure, if it is next. */
  #punctuation(mark: string): boolean {
    this.#match(blank);
    if (this.#text[this.#offset] !== mark) return false;
    this.#offset += 1;
    return true;
  }

  #match(token: RegExp): string | undefined {
    token.lastIndex = this.#offset;
    const found = token.exec(this.#text)?.[0];
    this.#offset += found?.length ?? 0;
    return found;
  }

  #wrong(why: string): FastnessError {
    return new FastnessError('JWS_JSON', `At ${this.#offset}: ${why}.`);
  }
}
