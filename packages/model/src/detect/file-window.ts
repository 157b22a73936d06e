import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { readFully } from '../threads/file-io.ts';

const windowLength = 1024 * 1024;

/**
 * Reads a file's fields from front to back through a window of 1 MiB, so that a header of any size takes no more memory.
 * Little-endian. Every read past the end of the file throws `truncated`; past `limit` bytes, `tooLong`.
 */
export class FileWindow {
  readonly size: number;
  readonly #fd: number;
  readonly #truncated: ErrorCode;
  readonly #tooLong: ErrorCode;
  readonly #limit: number;
  #window = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #start = 0;
  #offset = 0;

  constructor(
    fd: number,
    size: number,
    options: { readonly truncated: ErrorCode; readonly tooLong: ErrorCode; readonly limit: number },
  ) {
    this.#fd = fd;
    this.size = size;
    this.#truncated = options.truncated;
    this.#tooLong = options.tooLong;
    this.#limit = options.limit;
  }

  /** Bytes from the start of the file. */
  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    const at = this.#need(1);
    return this.#view.getUint8(at);
  }

  u32(): number {
    const at = this.#need(4);
    return this.#view.getUint32(at, true);
  }

  u64(): bigint {
    const at = this.#need(8);
    return this.#view.getBigUint64(at, true);
  }

  /** At most 1 MiB; a view that holds until the next read. */
  take(length: number): Uint8Array {
    const at = this.#need(length);
    return this.#window.subarray(at, at + length);
  }

  /** Passes over `length` bytes, which the file must have. */
  skip(length: number): void {
    this.#check(length);
    this.#offset += length;
  }

  /** Where the next `length` bytes are in the window, which may be another one after this. */
  #need(length: number): number {
    this.#check(length);
    if (this.#offset < this.#start || this.#offset + length > this.#start + this.#window.length) this.#fill(length);
    const at = this.#offset - this.#start;
    this.#offset += length;
    return at;
  }

  #check(length: number): void {
    if (this.#offset + length > this.size) {
      throw new FastnessError(this.#truncated, `It has ${this.size} bytes; more are needed at ${this.#offset}.`);
    }
    if (this.#offset + length > this.#limit) throw new FastnessError(this.#tooLong, `Over ${this.#limit} bytes.`);
  }

  #fill(length: number): void {
    const window = new Uint8Array(Math.min(Math.max(windowLength, length), this.size - this.#offset));
    const got = readFully(this.#fd, window, this.#offset);
    if (got < length) throw new FastnessError(this.#truncated, 'It became shorter while it was read.');
    this.#window = window.subarray(0, got);
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
    this.#start = this.#offset;
  }
}
