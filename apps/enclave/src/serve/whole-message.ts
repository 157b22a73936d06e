import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Place } from './admission.ts';

/** A small request that is answered in one piece, past the streams of the platform: those cost more than the answer does. */
export interface WholeRoute {
  /** Bytes of a request body at most; one that is longer reaches `answer` as undefined. */
  readonly limit: number;
  /** Throws when there is no room. */
  readonly enter: () => Place;
  /** What it throws goes to `refuse`. */
  readonly answer: (body: Uint8Array | undefined, signal: AbortSignal, socket: Socket) => Promise<WholeAnswer>;
  readonly refuse: (error: unknown) => WholeAnswer;
}

export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads a request, answers it, and leaves its place. Never throws. */
export async function answerWhole(
  route: WholeRoute,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort(new DOMException('The client is gone.', 'AbortError')));
  let place: Place | undefined;
  let answer: WholeAnswer;
  try {
    place = route.enter();
    const body = await bodyOf(incoming, route.limit, place.signal);
    place.received();
    answer = await route.answer(body, gone.signal, incoming.socket);
  } catch (error) {
    // Whoever left is told nothing, and is nobody's failure.
    if (gone.signal.aborted || (incoming.destroyed && !incoming.complete)) return;
    answer = route.refuse(error);
  } finally {
    place?.leave();
  }
  if (gone.signal.aborted) return;
  outgoing.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  outgoing.end(answer.body);
}

/** The body, or undefined when it is longer than `limit`; what is left of such a one is dropped. */
function bodyOf(incoming: IncomingMessage, limit: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    const done = (): void => {
      incoming.off('data', take);
      incoming.off('end', end);
      incoming.off('error', reject);
      signal.removeEventListener('abort', stop);
      // What is left is dropped, or a connection would stay with it.
      incoming.resume();
    };
    const take = (part: Uint8Array): void => {
      parts.push(part);
      length += part.length;
      if (length <= limit) return;
      done();
      resolve(undefined);
    };
    const end = (): void => {
      done();
      resolve(Buffer.concat(parts));
    };
    const stop = (): void => {
      done();
      const reason: unknown = signal.reason;
      reject(reason);
    };
    if (signal.aborted) {
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    incoming.on('data', take);
    incoming.once('end', end);
    incoming.once('error', reject);
  });
}
