import { fromBase64, fromBase64Url, fromHex } from '@fastness/codec';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../jws/json.ts';

/** Texts of bytes in claims. */
export type ClaimEncoding = 'hex' | 'base64' | 'base64url';

/**
 * Takes claims of known shape out of a token; a claim that is missing or of another shape raises the code of its service.
 * Claims that nobody asks for are left alone: services add them at any time.
 */
export class ClaimReader {
  readonly #claims: JsonObject;
  readonly #code: ErrorCode;
  readonly #checks: Checklist;

  constructor(claims: JsonObject, code: ErrorCode, checks: Checklist) {
    this.#claims = claims;
    this.#code = code;
    this.#checks = checks;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#claims, name);
  }

  text(name: string): string {
    const value = this.#claims[name];
    return this.#take(name, 'text', typeof value === 'string' && value.length <= 1024 ? value : undefined);
  }

  boolean(name: string): boolean {
    const value = this.#claims[name];
    return this.#take(name, 'true or false', typeof value === 'boolean' ? value : undefined);
  }

  integer(name: string): number {
    const value = this.#claims[name];
    const sound = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    return this.#take(name, 'an integer', sound ? value : undefined);
  }

  /** Lower-case hex of so many bytes; services write either case. */
  hex(name: string, bytes: number): string {
    const value = this.#claims[name];
    const sound = typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-fA-F]*$/.test(value);
    return this.#take(name, `${bytes} bytes in hex`, sound ? value.toLowerCase() : undefined);
  }

  list(name: string): readonly JsonValue[] {
    const value = this.#claims[name];
    return this.#take<readonly JsonValue[]>(name, 'a list', Array.isArray(value) ? value : undefined);
  }

  texts(name: string): readonly string[] {
    const list = this.list(name);
    const texts = list.filter((entry) => typeof entry === 'string');
    return this.#take(name, 'a list of texts', texts.length === list.length ? texts : undefined);
  }

  object(name: string): JsonObject {
    const value = this.#claims[name];
    return this.#take(name, 'an object', isJsonObject(value) ? value : undefined);
  }

  /** A reader of the claims inside. */
  inside(name: string): ClaimReader {
    return new ClaimReader(this.object(name), this.#code, this.#checks);
  }

  /** As {@link inside}; a list of one object is read like that object. */
  insideOnly(name: string): ClaimReader {
    const value = this.#claims[name];
    const only: JsonValue | undefined = Array.isArray(value) && value.length === 1 ? value[0] : value;
    const claims = this.#take(name, 'one object', isJsonObject(only) ? only : undefined);
    return new ClaimReader(claims, this.#code, this.#checks);
  }

  #take<T>(name: string, expected: string, value: T | undefined): T {
    const actual = value === undefined ? (this.has(name) ? 'something else' : 'nothing') : 'it is';
    this.#checks.require(this.#code, value !== undefined, { expected: `${name}: ${expected}`, actual });
    return value;
  }
}

/** The bytes that a text stands for; undefined when it is not in this encoding. */
export function bytesOf(text: string, encoding: ClaimEncoding): Uint8Array | undefined {
  try {
    if (encoding === 'hex') return fromHex(text);
    return encoding === 'base64' ? fromBase64(text) : fromBase64Url(text);
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}

/** A member of nested objects; undefined where one of them is missing or no object. */
export function memberAt(claims: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return value;
}
