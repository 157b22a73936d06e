import { ByteParts } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

/** A body as a caller hands it in. */
export type MessageBody = ReadableStream<Uint8Array> | Uint8Array | null | undefined;

/** Pulls byte arrays out of a stream, one at a time. */
export interface StreamSource {
  readonly next: () => Promise<Uint8Array | undefined>;
  /** Tells the producer that nothing more is wanted. Never throws. */
  readonly cancel: (reason?: unknown) => Promise<void>;
}

/**
 * Reads from `stream` on demand. A transport that fails while reading is a cut stream (`CHANNEL_TRUNCATED`); an abort
 * that the caller asked for stays the caller's own error.
 */
export function streamSource(stream: ReadableStream<Uint8Array>): StreamSource {
  const reader = stream.getReader();
  return {
    next: async () => {
      try {
        const result = await reader.read();
        return result.done ? undefined : checkBytes(result.value);
      } catch (error) {
        if (error instanceof FastnessError || isAbort(error)) throw error;
        throw new FastnessError('CHANNEL_TRUNCATED', 'The stream it came from failed.', { cause: error });
      }
    },
    cancel: (reason) => reader.cancel(reason).catch(() => undefined),
  };
}

/** The source of a body in any of its forms; undefined for no body. */
export function bodySource(body: MessageBody): StreamSource | undefined {
  if (body === null || body === undefined) return undefined;
  if (body instanceof ReadableStream) return streamSource(body);
  let rest: Uint8Array | undefined = checkBytes(body);
  return {
    next: () => {
      const bytes = rest;
      rest = undefined;
      return Promise.resolve(bytes);
    },
    cancel: () => Promise.resolve(),
  };
}

/** @throws FastnessError `CHANNEL_BODY_TYPE` when a stream gives anything but byte arrays. */
function checkBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new FastnessError('CHANNEL_BODY_TYPE', `A stream gave ${typeof value}.`);
}

function isAbort(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'name' in error &&
    /^(?:Abort|Timeout)Error$/.test(String(error.name))
  );
}

/** A stream of what `next` gives; `next` runs only when the reader asks. */
export function pullStream(source: StreamSource): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const bytes = await source.next();
          if (bytes === undefined) controller.close();
          else controller.enqueue(bytes);
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

/** Reads a stream to its end into one array of at most `limit` bytes; undefined when it holds more. */
export async function collect(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array | undefined> {
  const source = streamSource(stream);
  const parts = new ByteParts();
  for (let part = await source.next(); part !== undefined; part = await source.next()) {
    parts.push(part);
    if (parts.length > limit) {
      await source.cancel();
      return undefined;
    }
  }
  return parts.join();
}
