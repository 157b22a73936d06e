import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { ClientGone, forward, type ExchangeCounts } from './exchange.ts';
import { relayRoutes } from './headers.ts';
import { relayLimits, type RelayLimits } from './limits.ts';
import { asRelayError, problemStatus, sendProblem, sendRawProblem } from './problem.ts';
import { createRecorder, type ExchangeRecorder } from './record.ts';

/** What the relay keeps of an exchange: sizes and times. No address, no header, no identifier. */
export interface RelayAccess {
  /** One of the forwarded paths, or 'other'. */
  readonly path: string;
  /** 0 when the client went away before an answer. */
  readonly status: number;
  readonly outcome: 'forwarded' | 'client-gone' | 'cut-off' | ErrorCode;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Milliseconds until the enclave began to answer. */
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
}

export interface RelayOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Origin of the enclave, `http:` or `https:`, without a path. */
  readonly upstream: string;
  readonly limits?: Partial<RelayLimits>;
  /** Web origins whose pages may use this relay; none by default. Programs other than browsers need none. */
  readonly allowedOrigins?: readonly string[];
  readonly observe?: (access: RelayAccess) => void;
  /** Records everything this relay sees into a file; see `createRecorder`. For tests only. */
  readonly recordPath?: string;
  readonly now?: () => Date;
}

export interface Relay {
  readonly url: string;
  /** Stops listening, waits for exchanges in progress within the limit, then cuts them off. */
  close(): Promise<void>;
}

/** Starts a relay. Throws `RELAY_CONFIG_INVALID`, `RELAY_LISTEN`. */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const limits = relayLimits(options.limits);
  const upstream = parseUpstream(options.upstream);
  const origins = new Set(options.allowedOrigins ?? []);
  const recorder = options.recordPath === undefined ? undefined : createRecorder(options.recordPath);
  const now = options.now ?? (() => new Date());
  const clock = (): number => performance.now();
  const perAddress = new Map<string, number>();
  let exchanges = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const startedAt = now().toISOString();
    const started = clock();
    const path = request.url ?? '';
    const route = relayRoutes.get(path);
    const counts: ExchangeCounts = { requestBytes: 0, responseBytes: 0, firstByteAt: undefined };
    const record: ExchangeRecorder | undefined = recorder?.begin(request);
    const extraHeaders = corsHeaders(origins, request.headers.origin);
    let outcome: RelayAccess['outcome'] = 'forwarded';
    exchanges += 1;
    try {
      if (route === undefined) throw new FastnessError('RELAY_ROUTE_UNKNOWN');
      if (request.method === 'OPTIONS' && extraHeaders['access-control-allow-origin'] !== undefined) {
        response.writeHead(204, { ...extraHeaders, ...preflightHeaders(route) }).end();
        return;
      }
      if (request.method !== route.method) throw new FastnessError('RELAY_METHOD_NOT_ALLOWED');
      if (exchanges > limits.exchanges) throw new FastnessError('RELAY_BUSY');
      await forward({
        route,
        path,
        request,
        response,
        upstream,
        limits,
        counts,
        recorder: record,
        clock,
        extraHeaders,
      });
    } catch (error) {
      if (error instanceof ClientGone || response.destroyed) {
        outcome = 'client-gone';
        response.destroy();
      } else if (response.headersSent) {
        // Too late for a problem document: cut the answer off, so that nobody takes it for a whole one.
        outcome = 'cut-off';
        response.destroy();
      } else {
        const known = asRelayError(error);
        outcome = known.code;
        counts.responseBytes = sendProblem(response, known, {
          ...extraHeaders,
          ...(route !== undefined && known.code === 'RELAY_METHOD_NOT_ALLOWED' ? { allow: route.method } : {}),
          ...(request.complete ? {} : { connection: 'close' }),
        });
        record?.responseHead(problemStatus(known), {});
      }
    } finally {
      exchanges -= 1;
      if (!request.complete && !request.destroyed) discard(request, response);
      record?.end();
      options.observe?.({
        path: route === undefined ? 'other' : path,
        status: response.headersSent ? response.statusCode : 0,
        outcome,
        startedAt,
        requestBytes: counts.requestBytes,
        responseBytes: counts.responseBytes,
        firstByteMs: counts.firstByteAt === undefined ? undefined : counts.firstByteAt - started,
        durationMs: clock() - started,
      });
    }
  };

  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      keepAliveTimeout: 5000,
      noDelay: true,
    },
    (request, response) => {
      void serve(request, response);
    },
  );
  server.maxConnections = limits.connections;
  server.timeout = limits.idleTimeoutMs;
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const held = (perAddress.get(address) ?? 0) + 1;
    if (held > limits.connectionsPerAddress) {
      socket.destroy();
      return;
    }
    perAddress.set(address, held);
    socket.once('close', () => {
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left === 0) perAddress.delete(address);
      else perAddress.set(address, left);
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    sendRawProblem(socket, new FastnessError(clientErrors[error.code ?? ''] ?? 'RELAY_REQUEST_INVALID'));
  });

  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.listen.port, options.listen.host, resolve);
    });
  } catch (cause) {
    recorder?.close();
    throw new FastnessError('RELAY_LISTEN', `${options.listen.host}:${options.listen.port}.`, { cause });
  }

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const force = setTimeout(() => {
      server.closeAllConnections();
    }, limits.closeTimeoutMs);
    // Connections kept alive become idle one by one as their last exchange ends.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
    }, 50);
    await new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeIdleConnections();
    });
    clearTimeout(force);
    clearInterval(sweep);
    recorder?.close();
  };
  return {
    url: urlOf(server.address()),
    close: () => (closing ??= close()),
  };
}

const clientErrors: Readonly<Record<string, ErrorCode>> = Object.freeze({
  HPE_HEADER_OVERFLOW: 'RELAY_HEADER_LIMIT',
  ERR_HTTP_REQUEST_TIMEOUT: 'RELAY_REQUEST_TIMEOUT',
});

function parseUpstream(text: string): URL {
  const url = URL.parse(text);
  const bare =
    url !== null &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '';
  if (!bare || !['http:', 'https:'].includes(url.protocol)) {
    throw new FastnessError('RELAY_CONFIG_INVALID', 'upstream: expected an http or https origin without a path.');
  }
  return url;
}

/** Reads and drops the rest of a request that was answered early, for a moment: a reset could overtake the answer. */
function discard(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), 500);
  request.socket.once('close', () => {
    clearTimeout(cut);
  });
  request.once('end', () => {
    if (response.writableFinished) clearTimeout(cut);
  });
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new FastnessError('RELAY_INTERNAL');
  return address.family === 'IPv6'
    ? `http://[${address.address}]:${address.port}`
    : `http://${address.address}:${address.port}`;
}
