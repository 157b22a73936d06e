import { concatBytes } from '@fastness/codec/bytes';
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
export function sealStream(options: {
  prefix: Uint8Array;
  source: PlaintextSource;
  seal: SealChunk;
}): ReadableStream<Uint8Array> {
  const { source, seal } = options;
  let prefix: Uint8Array | undefined = options.prefix;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { bytes, done } = await source.take(maxChunkPlaintext);
          const sealed = await seal(bytes, done);
          const length = encodeVarint(done ? 0 : sealed.length);
          controller.enqueue(prefix === undefined ? concatBytes(length, sealed) : concatBytes(prefix, length, sealed));
          prefix = undefined;
          if (done) controller.close();
        } catch (error) {
          controller.error(error);
          await source.cancel(error);
        }
      },
      cancel: (reason) => source.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
