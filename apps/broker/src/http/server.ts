import { createServer as createHttpServer, Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { BrokerLimits } from '../limits.ts';
import { problemResponse, writeRawProblem } from './problem.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** PEM. Without it the broker speaks plain HTTP: keys are sealed anyway, but administrators are then let in from this machine only. */
  readonly tls?: {
    readonly certificate: string;
    readonly privateKey: string;
    /** Authorities (PEM) whose certificates clients are asked for. Absent: clients are not asked. */
    readonly clientAuthorities?: string;
  };
}

export interface HttpEndpoint {
  readonly url: string;
  /** Stops listening and waits for requests in progress, up to the limit; then cuts them off. */
  close(): Promise<void>;
}

const connectionErrors: Readonly<Record<string, ErrorCode>> = Object.freeze({
  HPE_HEADER_OVERFLOW: 'BROKER_HEADER_LIMIT',
  ERR_HTTP_REQUEST_TIMEOUT: 'BROKER_REQUEST_TIMEOUT',
});

/** Serves `fetch` with bounds on connections, header size and slow clients. Throws `BROKER_LISTEN`. */
export async function serveHttp(options: {
  listen: ListenOptions;
  limits: BrokerLimits;
  fetch: (request: Request, bindings: HttpBindings) => Response | Promise<Response>;
}): Promise<HttpEndpoint> {
  const { listen, limits } = options;
  const serverOptions = {
    maxHeaderSize: 16 * 1024,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
    keepAliveTimeout: 5000,
    noDelay: true,
  };
  const fetch = (request: Request, bindings: unknown): Response | Promise<Response> =>
    isHttp1(bindings) ? options.fetch(request, bindings) : problemResponse(new FastnessError('BROKER_INTERNAL'));
  const server =
    listen.tls === undefined
      ? createAdaptorServer({ fetch, createServer: createHttpServer, serverOptions })
      : createAdaptorServer({
          fetch,
          createServer: createHttpsServer,
          serverOptions: {
            ...serverOptions,
            cert: listen.tls.certificate,
            key: listen.tls.privateKey,
            minVersion: 'TLSv1.3',
            // Asked for, not demanded: enclaves have none. The handshake proves possession; whose it is and whether it counts
            // is decided at each request.
            ...(listen.tls.clientAuthorities === undefined
              ? {}
              : { requestCert: true, rejectUnauthorized: false, ca: listen.tls.clientAuthorities }),
          },
        });
  if (!(server instanceof HttpServer || server instanceof HttpsServer)) throw new FastnessError('BROKER_INTERNAL');
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.idleTimeoutMs;
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else writeRawProblem(socket, new FastnessError(connectionErrors[error.code ?? ''] ?? 'BROKER_REQUEST_INVALID'));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, resolve);
    });
  } catch (cause) {
    throw new FastnessError('BROKER_LISTEN', `${listen.host}:${listen.port}.`, { cause });
  }
  const close = async (): Promise<void> => {
    const force = setTimeout(() => {
      server.closeAllConnections();
    }, limits.closeTimeoutMs);
    // Connections kept alive become idle one by one as their last request ends.
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
  };
  return { url: urlOf(server.address(), listen.tls === undefined ? 'http' : 'https'), close };
}

function isHttp1(bindings: unknown): bindings is HttpBindings {
  return typeof bindings === 'object' && bindings !== null && 'incoming' in bindings && 'outgoing' in bindings;
}

function urlOf(address: AddressInfo | string | null, scheme: 'http' | 'https'): string {
  if (address === null || typeof address === 'string') throw new FastnessError('BROKER_INTERNAL');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${scheme}://${host}:${address.port}`;
}
