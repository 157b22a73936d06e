import { FastnessError } from '../errors/index.ts';
import { plainView } from './bytes.ts';

/**
 * Reads fixed-width fields from front to back. Every method throws CODEC_TRUNCATED when the bytes run out;
 * call `end()` after the last field so that trailing bytes are refused.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = plainView(bytes);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16le(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  u32le(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  u64be(): bigint {
    return this.#view.getBigUint64(this.#advance(8));
  }

  /** The next `length` bytes, as a view of the input and not a copy. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** @throws CODEC_TRAILING when bytes are left. */
  end(): void {
    if (this.remaining > 0) throw new FastnessError('CODEC_TRAILING', `${this.remaining} bytes are left.`);
  }

  #advance(length: number): number {
    if (!Number.isSafeInteger(length) || length < 0) throw new FastnessError('CODEC_VALUE', 'Not a length.');
    if (length > this.remaining) {
      throw new FastnessError('CODEC_TRUNCATED', `${length} bytes wanted at ${this.#offset}, ${this.remaining} left.`);
    }
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
