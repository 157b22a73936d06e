import { FramePacker } from './frame-packer.ts';
import { realPace, type Pace } from './pace.ts';
import { leastFramesFor, roundedFrames, type TrafficShape } from './shape.ts';

/** Frames whose text the engine may be ahead of its reader; then it waits. */
const AHEAD_FRAMES = 8;

/** Where a producer puts the events of a stream; each call resolves when there is room for more. */
export interface EventSink {
  readonly text: (text: string) => Promise<void>;
  readonly event: (event: string) => Promise<void>;
}

/**
 * A stream of server-sent events as an observer may see it: frames of one size at one pace, from the first to a number of
 * them that is rounded up. What the producer has not made yet leaves empty frames, what it made too early waits, and where
 * the answer ends nothing changes until the number is reached that its limit or its length is rounded up to. A producer that fails has put its error into the
 * stream as an event, and then it is an end like any other.
 *
 * Late by more than one frame, because a reader paused or the machine did, the pace starts anew: nothing is made up for.
 * Not hidden: the rounded number, a reader who goes away, and stalls of the whole process.
 * @param options.maxTokens what the request allows, where it says so
 * @param options.produce runs once the stream is read; must not throw
 * @param options.cancel called when the reader goes away
 */
export function shapedStream(options: {
  readonly shape: TrafficShape;
  readonly maxTokens: number | undefined;
  readonly textEvent: (text: string) => string;
  readonly produce: (sink: EventSink) => Promise<void>;
  readonly cancel: (reason: unknown) => void | Promise<void>;
  readonly pace?: Pace;
}): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { shape, produce, pace = realPace } = options;
  const packer = new FramePacker(shape.frameBytes, options.textEvent);
  const gone = new AbortController();
  let room: (() => void) | undefined;
  const full = (): boolean => packer.queued >= AHEAD_FRAMES * shape.frameBytes && !gone.signal.aborted;
  const whenRoom = async (): Promise<void> => {
    while (full()) await new Promise<void>((resolve) => (room = resolve));
  };
  const sink: EventSink = {
    text: (text) => {
      packer.text(text);
      return whenRoom();
    },
    event: (event) => {
      packer.event(event);
      return whenRoom();
    },
  };
  const least = leastFramesFor(shape, options.maxTokens);
  let produced = false;
  let sent = 0;
  let last: number | undefined;
  let due: number | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start() {
        void produce(sink).finally(() => (produced = true));
      },
      async pull(controller) {
        due ??= pace.now();
        const early = due - pace.now();
        if (early > 0) await pace.wait(early, gone.signal);
        if (gone.signal.aborted) return;
        const late = pace.now() - due;
        due += late > shape.frameMs ? late + shape.frameMs : shape.frameMs;
        controller.enqueue(packer.frame());
        sent += 1;
        room?.();
        if (produced && packer.empty) last ??= roundedFrames(Math.max(sent, least), shape);
        if (sent === last) controller.close();
      },
      async cancel(reason) {
        gone.abort();
        room?.();
        await options.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
