import { nextStep, realPace, type Pace } from './pace.ts';
import { leastFramesFor, roundedFrames, type TrafficShape } from './shape.ts';

const space = 0x20;

/** What a request to generate allows, as far as it says so. */
export interface Allowed {
  readonly maxTokens: number | undefined;
}

/**
 * An answer when an observer may see it, with spaces behind its JSON up to a rounded number of frames. Streams begin at the
 * next step since their request came. What was generated whole, and what is said instead of it, leaves when the last frame of
 * its stream would have: how long the engine worked shows no better than there. Other answers, and errors of the channel, leave
 * at a step.
 * @param options.generated for requests to generate; their answers or refusals
 */
export async function shapedAnswer(
  response: Response,
  options: {
    readonly began: number;
    readonly shape: TrafficShape;
    readonly signal: AbortSignal;
    readonly generated?: Allowed | undefined;
    readonly pace?: Pace;
  },
): Promise<Response> {
  const { began, shape, signal, generated, pace = realPace } = options;
  const streams = isEventStream(response);
  const answer = streams ? response : await padded(response, shape);
  const now = pace.now();
  const due =
    streams || generated === undefined
      ? nextStep(began, now, shape.startMs)
      : lastFrameAt({ began, now, shape, allowed: generated });
  await pace.wait(due - now, signal);
  return answer;
}

/** When the last frame leaves of a stream that began with its request's first step and has all its text by `now`. */
function lastFrameAt(options: { began: number; now: number; shape: TrafficShape; allowed: Allowed }): number {
  const { began, now, shape, allowed } = options;
  const first = began + shape.startMs;
  const needed = Math.ceil((now - first) / shape.frameMs) + 1;
  const frames = roundedFrames(Math.max(needed, leastFramesFor(shape, allowed.maxTokens)), shape);
  return first + (frames - 1) * shape.frameMs;
}

export function isEventStream(response: Response): boolean {
  return response.headers.get('content-type') === 'text/event-stream';
}

async function padded(response: Response, shape: TrafficShape): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { status, headers } = response;
  const frames = roundedFrames(Math.ceil(bytes.length / shape.frameBytes), shape);
  const filled = new Uint8Array(frames * shape.frameBytes).fill(space);
  filled.set(bytes);
  return new Response(filled, { status, headers });
}
