import { plainView } from './bytes.ts';

/** Parts below this many bytes are copied next to each other; a larger one is kept as it is. */
const small = 4096;
const firstBlock = 1024;
const largestBlock = 16_384;

/**
 * Gathers a byte string that comes in parts which somebody else cuts. Every array costs about a hundred bytes of its own, so
 * a message in parts of one byte would take a hundred times its size; here it takes about its size however it is cut.
 */
export class ByteParts {
  readonly #parts: Uint8Array[] = [];
  #block = new Uint8Array(0);
  /** What of the block is in `#parts` already, and what of it is taken. */
  #kept = 0;
  #filled = 0;
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a part; one of 4 KiB or more is not copied, so it must not change. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    if (bytes.length >= small) {
      this.#keep();
      this.#parts.push(plainView(bytes));
      return;
    }
    if (this.#filled + bytes.length > this.#block.length) {
      this.#keep();
      this.#block = new Uint8Array(Math.max(bytes.length, firstBlock, Math.min(2 * this.#block.length, largestBlock)));
      this.#kept = 0;
      this.#filled = 0;
    }
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** All of it in one array, which may be a part itself. */
  join(): Uint8Array {
    this.#keep();
    const [only] = this.#parts;
    if (only !== undefined && this.#parts.length === 1) return only;
    const joined = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      joined.set(part, offset);
      offset += part.length;
    }
    return joined;
  }

  #keep(): void {
    if (this.#kept === this.#filled) return;
    this.#parts.push(this.#block.subarray(this.#kept, this.#filled));
    this.#kept = this.#filled;
  }
}
