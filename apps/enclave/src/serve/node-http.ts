import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { FastnessError } from '@fastness/codec/errors';
import { answerWhole, type WholeRoute } from './whole-message.ts';

export interface Listener {
  readonly url: string;
  /** Stops accepting, ends idle connections, and after `graceMs` the others. May be called again to cut that short. */
  close(graceMs: number): Promise<void>;
}

type Handler = (request: Request) => Promise<Response>;

const MAX_CONNECTIONS = 4096;
const HEADERS_MS = 5000;
/** How long the rest of a refused request is read and dropped: a reset could overtake the answer. */
const DISCARD_MS = 1000;

/**
 * HTTP in front of a handler, plain unless `tls` is given: what matters is sealed inside the messages. `handler` must not throw. A response
 * whose body fails is cut off, and nothing is said about why: the reason may quote what is inside. Headers must be here
 * within five seconds and a whole request within `requestMs`; connections on which nothing moves for `idleMs` are ended.
 * `whole`: requests by method and path (`POST /x`) that are answered in one piece.
 * Throws ENCLAVE_LISTEN.
 */
export async function listen(
  handler: Handler,
  options: {
    host: string;
    port: number;
    idleMs?: number;
    requestMs?: number;
    whole?: ReadonlyMap<string, WholeRoute>;
    /** HTTPS with these in place of HTTP; `onServer` is given the server before it listens. */
    tls?: { readonly options: TlsOptions; readonly onServer: (server: TlsServer) => void };
  },
): Promise<Listener> {
  const { host, port, idleMs = 0, requestMs = 35_000, whole, tls } = options;
  const limits = {
    maxHeaderSize: 16_384,
    headersTimeout: Math.min(HEADERS_MS, requestMs),
    requestTimeout: requestMs,
    // Node looks for late connections so often; its own default would grant them half a minute more.
    connectionsCheckingInterval: 1000,
    keepAliveTimeout: 30_000,
  };
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const route = whole?.get(`${incoming.method ?? ''} ${incoming.url ?? ''}`);
    const answered = route === undefined ? answer(handler, incoming, outgoing) : answerWhole(route, incoming, outgoing);
    answered.then(
      () => (incoming.complete ? undefined : discard(incoming)),
      () => outgoing.destroy(),
    );
  };
  let server: Server | TlsServer;
  if (tls === undefined) server = createServer(limits, serve);
  else {
    const secure = createTlsServer({ ...limits, handshakeTimeout: HEADERS_MS, ...tls.options }, serve);
    tls.onServer(secure);
    server = secure;
  }
  server.maxConnections = MAX_CONNECTIONS;
  // A reader that stalls would hold what its request holds for ever.
  server.timeout = idleMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('ENCLAVE_LISTEN', `${host}:${port}`, { cause })));
    server.listen(port, host, resolve);
  });
  return { url: urlOf(server, tls === undefined ? 'http' : 'https'), close: (graceMs) => close(server, graceMs) };
}

async function answer(handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort(new DOMException('The client is gone.', 'AbortError')));
  const response = await handler(toRequest(incoming, gone.signal));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body !== null) await send(response.body, outgoing, gone.signal);
  outgoing.end();
}

/** Skips what nobody read of a request that was refused, and ends the connection of who goes on sending. */
function discard(incoming: IncomingMessage): void {
  const cut = setTimeout(() => incoming.socket.destroy(), DISCARD_MS);
  const done = (): void => clearTimeout(cut);
  incoming.once('end', done);
  incoming.once('close', done);
  incoming.resume();
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const method = incoming.method ?? 'GET';
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  // The address that the client used does not matter, so the Host field is not looked at.
  const url = URL.canParse(incoming.url ?? '', 'http://enclave.invalid') ? (incoming.url ?? '') : '/';
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(incoming);
  // A constant of its own, because the DOM's types do not know `duplex`.
  const init = { method, headers, body, duplex: 'half', signal } as const;
  return new Request(new URL(url, 'http://enclave.invalid'), init);
}

/** Reads only when asked, and leaves the connection open when the reader has had enough. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<unknown> | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        chunks ??= incoming.iterator({ destroyOnReturn: false });
        const { value, done } = await chunks.next();
        if (done === true) controller.close();
        else if (value instanceof Uint8Array) controller.enqueue(value);
        else throw new TypeError('a request gave no bytes');
      },
      async cancel() {
        await chunks?.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

async function send(body: ReadableStream<Uint8Array>, outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  const reader = body.getReader();
  const stop = (): void => void reader.cancel(gone.reason).catch(() => {});
  gone.addEventListener('abort', stop, { once: true });
  // Whoever went away before the answer was there must not keep what it holds.
  if (gone.aborted) stop();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done || gone.aborted) return;
      if (!outgoing.write(value)) await drained(outgoing, gone);
    }
  } finally {
    gone.removeEventListener('abort', stop);
  }
}

function drained(outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  if (gone.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      outgoing.off('drain', end);
      gone.removeEventListener('abort', end);
      resolve();
    };
    outgoing.once('drain', end);
    gone.addEventListener('abort', end, { once: true });
  });
}

function urlOf(server: Server | TlsServer, scheme: string): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new FastnessError('ENCLAVE_LISTEN');
  return `${scheme}://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

async function close(server: Server | TlsServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  if (graceMs === 0) server.closeAllConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
