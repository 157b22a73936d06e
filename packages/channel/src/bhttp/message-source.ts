import { concatBytes } from '@fastness/codec/bytes';
import type { PlaintextSource } from '../ohttp/chunk-writer.ts';
import type { StreamSource } from '../stream-source.ts';
import { encodeVarint } from '../varint.ts';
import { BodyBuffer } from './body-buffer.ts';

/** Bytes that the length of a body chunk may take: chunks hold less than 2^30 bytes. */
const lengthRoom = 4;

/** A message that is on hand as a whole. */
export function wholeMessage(message: Uint8Array): PlaintextSource {
  let rest = message;
  return {
    take: (max) => {
      const bytes = rest.subarray(0, max);
      rest = rest.subarray(bytes.length);
      return Promise.resolve({ bytes, done: rest.length === 0 });
    },
    cancel: () => Promise.resolve(),
  };
}

/**
 * A message of indeterminate length (RFC 9292 section 3.2) whose body is read from a stream. The head goes out at once;
 * what has arrived of the body since the last call is one body chunk. Two body chunks are at least `interval`
 * milliseconds apart, unless the second is full or the last: bytes that follow each other faster share a chunk, and bytes
 * that come slower never wait.
 * @param options.head framing indicator to the end of the header section
 * @param options.observe sees every part of the body in order
 * @param options.tail the bytes after the content's terminator; called once the body has ended, with the number of
 *   bytes before it
 * @param options.most bytes of the body in one call at most
 */
export function streamedMessage(options: {
  head: Uint8Array;
  body: StreamSource | undefined;
  observe: (bytes: Uint8Array) => Promise<void> | undefined;
  tail: (before: number) => Promise<Uint8Array>;
  interval?: number;
  most?: number;
}): PlaintextSource {
  const { interval = 0, most = Number.POSITIVE_INFINITY } = options;
  let lastChunk = -Infinity;
  const body = options.body === undefined ? undefined : new BodyBuffer(options.body, options.observe);
  let before = 0;
  let rest = options.head;
  let ending = false;

  return {
    cancel: async (reason) => body?.cancel(reason),
    take: async (max) => {
      const parts: Uint8Array[] = [];
      let room = max;
      const put = (bytes: Uint8Array): void => {
        parts.push(bytes);
        room -= bytes.length;
        before += bytes.length;
      };
      const putRest = (): void => {
        const part = rest.subarray(0, room);
        rest = rest.subarray(part.length);
        put(part);
      };
      putRest();
      if (rest.length === 0 && !ending) {
        // With something to send already, nothing is waited for: the head leaves at once, with what is there of the body.
        if (room < max) await body?.atHand();
        else if (body !== undefined) {
          await body.arrived();
          const early = interval - (globalThis.performance.now() - lastChunk);
          if (early > 0) await body.gathered(early, max);
        }
        if (room > lengthRoom && body !== undefined && body.size > 0) {
          const bytes = body.cut(Math.min(room - lengthRoom, most));
          lastChunk = globalThis.performance.now();
          put(encodeVarint(bytes.length));
          put(bytes);
        }
        if (room > 0 && (body?.ended() ?? true)) {
          ending = true;
          put(encodeVarint(0));
          rest = await options.tail(before);
          putRest();
        }
      }
      return { bytes: concatBytes(...parts), done: ending && rest.length === 0 };
    },
  };
}
