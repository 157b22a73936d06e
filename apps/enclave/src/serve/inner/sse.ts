import type { GenerationItem, ToolCallPart } from '../../engine/engine.ts';
import { shapedStream, type EventSink } from '../traffic/shaped-stream.ts';
import type { TrafficShape } from '../traffic/shape.ts';
import { errorBody } from './api-error.ts';

/** What of a generation belongs to its answer. */
export type AnswerItem = Exclude<GenerationItem, { kind: 'unsaid' }>;
type End = Extract<GenerationItem, { kind: 'end' }>;

/** How an endpoint writes its events; each string is one or more whole events. */
export interface StreamFormat {
  /** Goes out first. */
  readonly start: string;
  delta(text: string): string;
  calls(calls: readonly ToolCallPart[]): string;
  end(end: End): string;
}

export interface EventStreamOptions {
  readonly items: AsyncIterable<AnswerItem>;
  readonly format: StreamFormat;
  readonly signal: AbortSignal;
  readonly cancel: (reason: unknown) => void;
  readonly done: () => void;
  /** Undefined: events leave as the engine makes them, and an observer counts them. */
  readonly shape: TrafficShape | undefined;
  /** What the request allows, where it says so. */
  readonly maxTokens: number | undefined;
}

const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
const encoder = new TextEncoder();

/** Server-sent events of one generation. */
export function eventStream(options: EventStreamOptions): Response {
  return new Response(options.shape === undefined ? plainStream(options) : shaped(options, options.shape), { headers });
}

/**
 * In shape, a failure is an event with OpenAI's error shape, without `[DONE]`, in a stream that ends like any other: who
 * watches does not see which answers failed, who reads cannot take it for an answer.
 */
function shaped(options: EventStreamOptions, shape: TrafficShape): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { items, format, signal, cancel, done, maxTokens } = options;
  const iterator = items[Symbol.asyncIterator]();
  const generate = async (sink: EventSink): Promise<void> => {
    await sink.event(format.start);
    for (;;) {
      const { value, done: over } = await iterator.next();
      signal.throwIfAborted();
      if (over === true) throw new Error('the generation has no end');
      if (value.kind === 'delta') await sink.text(value.text);
      else if (value.kind === 'calls') await sink.event(format.calls(value.calls));
      else {
        await sink.event(`${format.end(value)}data: [DONE]\n\n`);
        return;
      }
    }
  };
  const produce = async (sink: EventSink): Promise<void> => {
    try {
      await generate(sink);
    } catch (cause) {
      await sink.event(failureEvent(cause));
    } finally {
      done();
      await iterator.return?.().catch(() => undefined);
    }
  };
  return shapedStream({ shape, maxTokens, textEvent: (text) => format.delta(text), produce, cancel });
}

/** Without a shape a failure cuts the stream, after the event that explains it. */
function plainStream(options: EventStreamOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { items, format, signal, cancel, done } = options;
  const iterator = items[Symbol.asyncIterator]();
  let waiting = format.start;
  let failure: unknown;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        if (failure !== undefined) {
          controller.error(failure);
          return;
        }
        const send = (text: string): void => controller.enqueue(encoder.encode(text));
        try {
          const { value, done: over } = await iterator.next();
          signal.throwIfAborted();
          if (over === true) throw new Error('the generation has no end');
          if (value.kind !== 'end') {
            send(waiting + (value.kind === 'delta' ? format.delta(value.text) : format.calls(value.calls)));
            waiting = '';
            return;
          }
          send(`${waiting}${format.end(value)}data: [DONE]\n\n`);
          controller.close();
        } catch (cause) {
          failure = cause;
          send(failureEvent(cause));
        }
        done();
        await iterator.return?.();
      },
      async cancel(reason) {
        cancel(reason);
        done();
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function failureEvent(cause: unknown): string {
  return `data: ${JSON.stringify(errorBody(cause).body)}\n\n`;
}
