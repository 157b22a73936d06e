import { nextStep, realPace, type Pace } from './pace.ts';
import { roundedFrames, type TrafficShape } from './shape.ts';

const space = 0x20;

/**
 * An answer at the next step since its request came: streams begin there, and whole answers, errors among them, leave there
 * with spaces behind their JSON up to a rounded number of frames.
 */
export async function shapedAnswer(
  response: Response,
  options: { readonly began: number; readonly shape: TrafficShape; readonly signal: AbortSignal; readonly pace?: Pace },
): Promise<Response> {
  const { began, shape, signal, pace = realPace } = options;
  const answer = isEventStream(response) ? response : await padded(response, shape);
  const now = pace.now();
  await pace.wait(nextStep(began, now, shape.startMs) - now, signal);
  return answer;
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
