import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { FastnessError } from '@fastness/codec/errors';

export interface Listener {
  readonly url: string;
  /** Stops accepting, ends idle connections, and after `graceMs` the others. May be called again to cut that short. */
  close(graceMs: number): Promise<void>;
}

/** Plain HTTP: what matters is sealed inside the messages. Throws ENCLAVE_LISTEN. */
export async function listen(
  fetch: (request: Request) => Promise<Response>,
  { host, port }: { host: string; port: number },
): Promise<Listener> {
  const server = createServer(
    { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 30_000 },
    // The listener answers; nothing waits for its promise.
    (request, response) => void handle(request, response),
  );
  const handle = getRequestListener(fetch, { overrideGlobalObjects: false });
  server.maxConnections = 4096;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('ENCLAVE_LISTEN', `${host}:${port}`, { cause })));
    server.listen(port, host, resolve);
  });
  return { url: urlOf(server), close: (graceMs) => close(server, graceMs) };
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new FastnessError('ENCLAVE_LISTEN');
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  if (graceMs === 0) server.closeAllConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
