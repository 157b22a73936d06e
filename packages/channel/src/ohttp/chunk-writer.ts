import { concatBytes } from '@fastness/codec/bytes';
import { pullStream, type StreamSource } from '../stream-source.ts';
import { encodeVarint } from '../varint.ts';
import { maxChunkPlaintext } from './chunk-reader.ts';

/** Gives the plaintext of a message in order. */
export interface PlaintextSource {
  /** At most `max` bytes, and at least one unless the message ends with them (`done`). */
  readonly take: (max: number) => Promise<{ bytes: Uint8Array; done: boolean }>;
  /** Tells the producer of the body that nothing more is wanted. Never throws. */
  readonly cancel: (reason?: unknown) => Promise<void>;
}

/** Seals the chunk that follows those sealed before. */
export type SealChunk = (plaintext: Uint8Array, final: boolean) => Promise<Uint8Array>;

/**
 * The sealed stream of a message: `prefix`, then chunks. A chunk is sealed when the reader asks for it and takes what
 * has gathered by then, so bytes that arrive while a chunk is being sealed and sent share the next one.
 */
export function sealStream(options: SealOptions): ReadableStream<Uint8Array> {
  return pullStream(sealSource(options));
}

/** What a message is sealed from and with. */
export interface SealOptions {
  readonly prefix: Uint8Array;
  readonly source: PlaintextSource;
  readonly seal: SealChunk;
}

/** The same, to be pulled. */
export function sealSource({ prefix, source, seal }: SealOptions): StreamSource {
  let before: Uint8Array | undefined = prefix;
  let ended = false;
  return {
    next: async () => {
      if (ended) return undefined;
      const { bytes, done } = await source.take(maxChunkPlaintext);
      ended = done;
      const sealed = await seal(bytes, done);
      const length = encodeVarint(done ? 0 : sealed.length);
      const chunk = before === undefined ? concatBytes(length, sealed) : concatBytes(before, length, sealed);
      before = undefined;
      return chunk;
    },
    cancel: source.cancel,
  };
}
