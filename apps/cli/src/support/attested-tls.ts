import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import {
  connectAttestedTls,
  listenAttestedTls,
  type AttestedConnection,
  type ListenAttestedTlsOptions,
  type TlsIdentity,
  type TlsPeer,
} from '@fastness/channel/node/tls';
import type { TlsPeerPolicy } from '@fastness/channel/tls';
import { FastnessError } from '@fastness/codec/errors';
import { isLoopback } from './listen.ts';
import { asFastnessError } from './run.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Something that takes connections; `close` ends those there are. */
export interface Carrying {
  readonly host: string;
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** What becomes of connections. */
export interface Told {
  readonly connected: (peer: TlsPeer | undefined) => void;
  /** Why a connection was refused or cut off. */
  readonly failed: (error: FastnessError) => void;
}

const maximumConnections = 1024;
const connectMs = 5000;
const keepAliveMs = 60_000;

/**
 * Host and port of `tls://host:port` (`scheme` tls), or of a plain `host:port`.
 * @throws FastnessError `CLI_USAGE`
 */
export function hostPortOf(text: string, scheme?: 'tls'): HostPort {
  const prefix = 'tls://';
  const named = text.startsWith(prefix);
  const url = `http://${named ? text.slice(prefix.length) : text}`;
  const [, digits] = /:(\d{1,5})\/?$/.exec(url) ?? [];
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const bare = parsed !== undefined && parsed.username === '' && parsed.password === '' && parsed.pathname === '/';
  if (named !== (scheme === 'tls') || !bare || digits === undefined || `${parsed.search}${parsed.hash}` !== '')
    throw new FastnessError(
      'CLI_USAGE',
      `${JSON.stringify(text)}: an address such as ${scheme === 'tls' ? 'tls://10.0.0.7:8443' : '127.0.0.1:5432'}.`,
    );
  return { host: parsed.hostname.replace(/^\[|\]$/g, ''), port: Number(digits) };
}

/** As an address is written; brackets around IPv6. */
export function written({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Throws CLI_TLS_REMOTE for an address that what arrives in clear would leave this machine for. */
export function requireLocal(end: HostPort, allowRemote: boolean): void {
  if (!allowRemote && !isLoopback(end.host)) throw new FastnessError('CLI_TLS_REMOTE', written(end));
}

/**
 * In front of a service in a TEE: takes attested TLS at `listen`, proves this machine by `identity`, and hands what arrives to
 * the service at `to`, in clear.
 * @throws FastnessError `CHANNEL_TLS_LISTEN`, and what the identity's certificate throws
 */
export async function serveAttested(options: {
  readonly listen: HostPort;
  readonly to: HostPort;
  readonly identity: TlsIdentity;
  /** What those who connect must prove; undefined: nothing. */
  readonly peer: TlsPeerPolicy | undefined;
  readonly told: Told;
}): Promise<Carrying> {
  const { listen, to, identity, peer, told } = options;
  const failed = (error: unknown): void => told.failed(asFastnessError(error));
  const onConnection: ListenAttestedTlsOptions['onConnection'] = (socket, proved) => {
    told.connected(proved);
    // Who is ahead of its service waits: nothing is read before the service took the connection.
    void reach(to)
      .then((service) => join(socket, service), discard(socket))
      .catch(failed);
  };
  const { host, port, close } = await listenAttestedTls({
    ...listen,
    identity,
    onConnection,
    onRefused: failed,
    ...(peer === undefined ? {} : { peer }),
  });
  return { host, port, close };
}

/**
 * On the other side: takes connections in clear at `listen`, and for each makes one over attested TLS to `to`. Nothing that
 * arrives is sent before the other end has proved itself on that connection.
 * @throws FastnessError `CLI_LISTEN`
 */
export async function forwardAttested(options: {
  readonly listen: HostPort;
  readonly to: HostPort;
  readonly peer: TlsPeerPolicy;
  readonly identity: TlsIdentity | undefined;
  readonly told: Told;
}): Promise<Carrying> {
  const { listen, to, peer, identity, told } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (near) => {
    sockets.add(near);
    near.once('close', () => sockets.delete(near));
    near.on('error', () => undefined);
    void dial({ to, peer, identity })
      .then((connection) => {
        told.connected(connection.peer);
        return join(near, connection.socket);
      }, discard(near))
      .catch((error: unknown) => told.failed(asFastnessError(error)));
  });
  server.maxConnections = maximumConnections;
  const port = await started(server, listen);
  return {
    host: listen.host,
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Connects and verifies. Throws as `connectAttestedTls`. */
export function dial({
  to,
  peer,
  identity,
}: {
  readonly to: HostPort;
  readonly peer: TlsPeerPolicy;
  readonly identity: TlsIdentity | undefined;
}): Promise<AttestedConnection> {
  return connectAttestedTls({ ...to, peer, ...(identity === undefined ? {} : { identity }) });
}

const discard =
  (socket: Socket) =>
  (error: unknown): never => {
    socket.destroy();
    throw error;
  };

/** Carries both ways until both have ended; a side that only ended its own half is still answered. */
async function join(one: Socket, other: Socket): Promise<void> {
  for (const socket of [one, other]) {
    socket.allowHalfOpen = true;
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('error', () => undefined);
  }
  try {
    await Promise.all([pipeline(one, other), pipeline(other, one)]);
  } catch (cause) {
    throw new FastnessError('CLI_TLS_CUT', codeOf(cause), { cause });
  } finally {
    one.destroy();
    other.destroy();
  }
}

function reach(to: HostPort): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection({ ...to, allowHalfOpen: true, noDelay: true });
  const fail = (cause?: unknown): void => {
    clearTimeout(timer);
    socket.destroy();
    reject(new FastnessError('CLI_TLS_SERVICE', `${written(to)} ${codeOf(cause)}`.trim(), { cause }));
  };
  const timer = setTimeout(() => fail(), connectMs);
  socket.once('error', fail);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.off('error', fail);
    resolve(socket);
  });
  return promise;
}

function started(server: Server, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('CLI_LISTEN', written({ host, port }), { cause })));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
