import type { GenerationItem } from '../../engine/engine.ts';
import { errorBody } from './api-error.ts';
import { paddedEnd, paddedFrame } from './padding.ts';

type End = Extract<GenerationItem, { kind: 'end' }>;

/** How an endpoint writes its events; each string is one or more whole events. */
export interface StreamFormat {
  /** Goes out with the first delta. */
  readonly start: string;
  delta(text: string): string;
  end(end: End): string;
}

/**
 * Server-sent events: deltas as frames of equal size, then the end and `[DONE]` in one frame. A failure is sent as an
 * event with OpenAI's error shape and then cuts the stream, so that nobody takes part of an answer for the whole.
 */
export function eventStream(options: {
  items: AsyncIterable<GenerationItem>;
  format: StreamFormat;
  signal: AbortSignal;
  cancel: (reason: unknown) => void;
  done: () => void;
}): Response {
  const { format, signal } = options;
  const iterator = options.items[Symbol.asyncIterator]();
  let sent = 0;
  let waiting = format.start;
  let failure: unknown;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (failure !== undefined) {
          controller.error(failure);
          return;
        }
        const send = (bytes: Uint8Array): void => {
          sent += bytes.length;
          controller.enqueue(bytes);
        };
        try {
          const { value, done } = await iterator.next();
          signal.throwIfAborted();
          if (done === true) throw new Error('the generation has no end');
          if (value.kind === 'delta') {
            send(paddedFrame(waiting + format.delta(value.text)));
            waiting = '';
            return;
          }
          send(paddedEnd(`${waiting}${format.end(value)}data: [DONE]\n\n`, sent));
          controller.close();
        } catch (cause) {
          // The error cuts the stream at the next pull, after the event that explains it.
          failure = cause;
          send(paddedFrame(`data: ${JSON.stringify(errorBody(cause).body)}\n\n`));
        }
        options.done();
        await iterator.return?.();
      },
      async cancel(reason) {
        options.cancel(reason);
        options.done();
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
}
