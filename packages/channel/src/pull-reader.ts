import { ByteParts } from '@fastness/codec/bytes';
import type { FastnessError, ErrorCode } from '@fastness/codec/errors';
import { decodeVarint, varintLength } from './varint.ts';

const empty = new Uint8Array(0);

/**
 * Reads structures out of a sequence of byte arrays that arrive over time. It holds at most one arrived array beyond
 * what a caller asked for, so memory stays flat and a slow reader slows its source down.
 */
export class PullReader {
  readonly #next: () => Promise<Uint8Array | undefined>;
  readonly #truncated: () => FastnessError;
  #bytes: Uint8Array = empty;
  #ended = false;

  /** `next` gives the following bytes, or undefined at the end; `truncated` is thrown where more was needed. */
  constructor(next: () => Promise<Uint8Array | undefined>, truncated: () => FastnessError) {
    this.#next = next;
    this.#truncated = truncated;
  }

  /** True when nothing is left; waits for the source to say so. */
  async atEnd(): Promise<boolean> {
    return !(await this.#fill(1));
  }

  /** The next byte, without taking it. */
  async peek(): Promise<number> {
    if (!(await this.#fill(1))) throw this.#truncated();
    return this.#bytes[0] ?? 0;
  }

  /** Exactly `length` bytes. The caller has checked `length` against a limit. */
  async take(length: number): Promise<Uint8Array> {
    if (!(await this.#fill(length))) throw this.#truncated();
    return this.#cut(length);
  }

  /** Between one and `max` bytes: whatever has arrived. */
  async some(max: number): Promise<Uint8Array> {
    if (!(await this.#fill(1))) throw this.#truncated();
    return this.#cut(Math.min(max, this.#bytes.length));
  }

  /** Everything to the end, or undefined when that is more than `limit` bytes. */
  async rest(limit: number): Promise<Uint8Array | undefined> {
    return (await this.#fill(limit + 1)) ? undefined : this.#cut(this.#bytes.length);
  }

  /** A QUIC variable-length integer in shortest form; `code` is thrown for another form. */
  async varint(code: ErrorCode): Promise<number> {
    return decodeVarint(await this.take(varintLength(await this.peek())), code);
  }

  #cut(length: number): Uint8Array {
    const part = this.#bytes.subarray(0, length);
    this.#bytes = length === this.#bytes.length ? empty : this.#bytes.subarray(length);
    return part;
  }

  async #fill(length: number): Promise<boolean> {
    if (this.#bytes.length >= length) return true;
    const parts = new ByteParts();
    parts.push(this.#bytes);
    while (parts.length < length && !this.#ended) {
      const more = await this.#next();
      if (more === undefined) this.#ended = true;
      else parts.push(more);
    }
    if (parts.length > this.#bytes.length) this.#bytes = parts.join();
    return this.#bytes.length >= length;
  }
}
