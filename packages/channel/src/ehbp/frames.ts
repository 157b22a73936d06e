import { FastnessError } from '@fastness/codec/errors';
import { aeadTagLength } from '../hpke.ts';
import { truncated } from '../ohttp/chunk-reader.ts';
import type { SealedBytesLimit } from '../ohttp/form.ts';
import { PullReader } from '../pull-reader.ts';
import { streamSource, type StreamSource } from '../stream-source.ts';

const lengthBytes = 4;

/**
 * The frames of an EHBP body: each behind its length as 32 bits, up to the end of the stream. Frames of length zero say nothing
 * and are skipped. Nothing marks the last one.
 */
export class EhbpFrames {
  readonly #source: StreamSource;
  readonly #reader: PullReader;
  readonly #limit: SealedBytesLimit;
  #total = 0;
  #count = 0;
  #first: Promise<Uint8Array | undefined> | undefined;

  /** `limit` bounds the bytes of all frames together, and their number, empty ones included. */
  constructor(stream: ReadableStream<Uint8Array>, limit: SealedBytesLimit) {
    this.#source = streamSource(stream);
    this.#reader = new PullReader(this.#source.next, truncated);
    this.#limit = limit;
  }

  /** The first frame, which may be asked for again: nothing but opening it tells which keys it is for. */
  first(): Promise<Uint8Array | undefined> {
    this.#first ??= this.next();
    return this.#first;
  }

  /** The next frame, or undefined where the stream ends between two. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (await this.#reader.atEnd()) return undefined;
      const head = await this.#reader.take(lengthBytes);
      const length = new DataView(head.buffer, head.byteOffset, lengthBytes).getUint32(0);
      this.#total += lengthBytes + length;
      this.#count += 1;
      const { bytes, chunks = Number.POSITIVE_INFINITY, code } = this.#limit;
      if (this.#total > bytes) throw new FastnessError(code, `More than ${bytes} bytes.`);
      if (this.#count > chunks) throw new FastnessError(code, `More than ${chunks} frames.`);
      if (length === 0) continue;
      if (length < aeadTagLength) throw new FastnessError('CHANNEL_CHUNK_SIZE', `${length} bytes.`);
      return await this.#reader.take(length);
    }
  }

  cancel(reason?: unknown): Promise<void> {
    return this.#source.cancel(reason);
  }
}
