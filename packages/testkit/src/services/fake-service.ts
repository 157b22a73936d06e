import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { FastnessError } from '@fastness/codec/errors';
import { send, type FakeAnswer } from './answer.ts';
import { failWith, type ServiceFailure } from './failures.ts';

/** A request as it arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
}

/** Answers a request; undefined becomes status 404. */
export type FakeRoutes = (request: SeenRequest) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>;

/** A real HTTP server on this machine that plays a vendor's service. */
export interface FakeService extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly url: string;
  /** Everything that was asked, in order. */
  readonly requests: readonly SeenRequest[];
  /**
   * Makes the next `times` answers fail (default: all from now on), of those that `path` matches. Failures that were asked
   * for earlier come first.
   */
  fail(failure: ServiceFailure, options?: { readonly times?: number; readonly path?: RegExp }): void;
  /** Answers properly again. */
  recover(): void;
  /** Answers from other material from now on. */
  serve(routes: FakeRoutes): void;
  close(): Promise<void>;
}

interface PlannedFailure {
  readonly failure: ServiceFailure;
  readonly path: RegExp | undefined;
  left: number;
}

const MAX_REQUEST = 1 << 20;

/** `tls`: PEM texts; the service then speaks HTTPS. */
export async function startFakeService(
  routes: FakeRoutes,
  { tls }: { readonly tls?: { readonly key: string; readonly cert: string } } = {},
): Promise<FakeService> {
  const requests: SeenRequest[] = [];
  let planned: PlannedFailure[] = [];
  let current = routes;

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await see(incoming);
    requests.push(request);
    const plan = planned.find(({ path, left }) => left > 0 && (path === undefined || path.test(request.path)));
    const answer = (await current(request)) ?? { status: 404, body: 'no such thing' };
    if (plan === undefined) send(response, answer);
    else {
      plan.left -= 1;
      await failWith(plan.failure, response, answer);
    }
  };
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    handle(incoming, response).catch(() => response.destroy());
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer({ ...tls }, listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new FastnessError('TESTKIT_OPTION', 'No port.');
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`,
    requests,
    fail(failure, { times = Number.POSITIVE_INFINITY, path } = {}) {
      planned.push({ failure, path, left: times });
    },
    recover() {
      planned = [];
    },
    serve(next) {
      current = next;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function see(incoming: IncomingMessage): Promise<SeenRequest> {
  const url = new URL(incoming.url ?? '/', 'http://fake.invalid');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REQUEST) throw new FastnessError('TESTKIT_OPTION', 'A request of more than 1 MiB.');
    chunks.push(chunk);
  }
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: incoming.headers,
    body: new Uint8Array(Buffer.concat(chunks)),
  };
}
