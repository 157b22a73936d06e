import { FastnessError } from '@fastness/codec/errors';
import { aeadTagLength } from '../hpke.ts';
import type { PullReader } from '../pull-reader.ts';
import type { SealedBytesLimit } from './form.ts';

/** Largest plaintext of one chunk in bytes (draft-ietf-ohai-chunked-ohttp-08 section 5: what a receiver must accept). */
export const maxChunkPlaintext = 16_384;

/** Opens the ciphertext of chunk `index`; `final` says that the AAD is `final`. Throws when it does not authenticate. */
export type OpenChunk = (ciphertext: Uint8Array, final: boolean, index: number) => Promise<Uint8Array>;

/**
 * Reads the chunks of a chunked OHTTP message: each behind its length, the last behind a zero and up to the end of the
 * stream. A stream that ends earlier was cut (`CHANNEL_TRUNCATED`).
 */
export class ChunkReader {
  readonly #reader: PullReader;
  readonly #open: OpenChunk;
  readonly #limit: SealedBytesLimit;
  #index = 0;
  #total = 0;
  #ended = false;

  /** `limit` bounds the sealed bytes of all chunks together, and their number. */
  constructor(options: { reader: PullReader; open: OpenChunk; limit: SealedBytesLimit }) {
    this.#reader = options.reader;
    this.#open = options.open;
    this.#limit = options.limit;
  }

  /** Plaintext of the next chunk (it may be empty), or undefined after the final one. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const length = await this.#reader.varint('CHANNEL_CHUNK_SIZE');
    if (length === 0) return this.#final();
    if (length < aeadTagLength || length > maxChunkPlaintext + aeadTagLength) throw size(length);
    this.#count(length);
    return this.#apply(await this.#reader.take(length), false);
  }

  async #final(): Promise<Uint8Array> {
    const ciphertext = await this.#reader.rest(maxChunkPlaintext + aeadTagLength);
    if (ciphertext === undefined) throw new FastnessError('CHANNEL_CHUNK_SIZE', 'The final chunk is too long.');
    if (ciphertext.length < aeadTagLength) throw new FastnessError('CHANNEL_TRUNCATED', 'Within the final chunk.');
    this.#count(ciphertext.length);
    this.#ended = true;
    return this.#apply(ciphertext, true);
  }

  #apply(ciphertext: Uint8Array, final: boolean): Promise<Uint8Array> {
    const index = this.#index;
    this.#index += 1;
    return this.#open(ciphertext, final, index);
  }

  #count(length: number): void {
    this.#total += length + 1;
    const { bytes, chunks = Number.POSITIVE_INFINITY, code } = this.#limit;
    if (this.#total > bytes) throw new FastnessError(code, `More than ${bytes} bytes.`);
    if (this.#index >= chunks) throw new FastnessError(code, `More than ${chunks} chunks.`);
  }
}

export function truncated(): FastnessError {
  return new FastnessError('CHANNEL_TRUNCATED');
}

function size(length: number): FastnessError {
  return new FastnessError('CHANNEL_CHUNK_SIZE', `${length} bytes.`);
}
