import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { FastnessError } from '@fastness/codec/errors';
import type { SocketAddress } from './address.ts';
import { connectTo, listenOn } from './sockets.ts';

/** A TCP address of this machine or another. */
export interface TcpAddress {
  readonly host: string;
  /** 0 to listen: any that is free. */
  readonly port: number;
}

/** One end of a way that bytes are carried. */
export type End = TcpAddress | SocketAddress;

export interface Limits {
  /** Connections at a time; the next is cut off at once. Default: 1024. */
  readonly maxConnections?: number;
  /** A connection on which nothing moves for so long is cut off. Default: 15 minutes. */
  readonly idleMs?: number;
  /** How long the other end has to take a connection. Default: 5 seconds. */
  readonly connectMs?: number;
}

/** Something that takes connections. */
export interface Accepting {
  readonly name: string;
  /** The TCP port, where there is one. */
  readonly port: number | undefined;
  /** Stops accepting and cuts every connection off. */
  close(): Promise<void>;
}

/**
 * Takes connections and gives each to `handle`; when that ends or fails, the connection is over. `failed` hears why.
 * Throws VSOCK_UNSUPPORTED, VSOCK_LISTEN, VSOCK_CALL.
 */
export async function acceptAt(
  end: End,
  handle: (socket: Socket, closing: AbortSignal) => Promise<void>,
  failed: (error: unknown) => void,
  { maxConnections = 1024, idleMs = 900_000 }: Limits = {},
): Promise<Accepting> {
  const closing = new AbortController();
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // Whoever reads or writes it hears of the error; without a listener here it would end the process.
    socket.on('error', () => {});
    socket.setTimeout(idleMs, () => socket.destroy());
    handle(socket, closing.signal).then(
      () => socket.destroySoon(),
      (error: unknown) => {
        socket.destroy();
        if (!closing.signal.aborted) failed(error);
      },
    );
  });
  server.maxConnections = maxConnections;
  await ('family' in end ? listenOn(server, end) : listenTcp(server, end));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : undefined;
  return {
    name: 'family' in end ? end.name : `${end.host}:${port}`,
    port,
    close: async () => {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function listenTcp(server: Server, { host, port }: TcpAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (cause: Error): void => reject(new FastnessError('VSOCK_LISTEN', `${host}:${port}`, { cause }));
  server.once('error', fail);
  server.listen(port, host, resolve);
  await promise;
  server.off('error', fail);
}

/** Connects to either kind of end. Throws VSOCK_UNSUPPORTED, VSOCK_UNREACHABLE, VSOCK_CALL. */
export async function reach(end: End, signal: AbortSignal, connectMs = 5000): Promise<Socket> {
  if ('family' in end) return connectTo(end, { timeoutMs: connectMs, signal });
  const socket = connect({ host: end.host, port: end.port, allowHalfOpen: true, noDelay: true });
  const name = `${end.host}:${end.port}`;
  const stop = (): void => void socket.destroy(new Error('It was stopped.'));
  const timer = setTimeout(() => void socket.destroy(new Error(`No answer in ${connectMs} ms.`)), connectMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await once(socket, 'connect');
    return socket;
  } catch (cause) {
    throw new FastnessError('VSOCK_UNREACHABLE', name, { cause });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
