import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { TlsPeerPolicy } from '@fastness/channel/tls';
import { FastnessError } from '@fastness/codec/errors';
import { pemOf } from './certificate.ts';
import { attestedTls } from './connect.ts';
import { exchangeAsServer, type TlsPeer } from './exchange.ts';
import type { TlsIdentity } from './identity.ts';
import { keepCertificate } from './keep-certificate.ts';

export interface ListenAttestedTlsOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly identity: TlsIdentity;
  /** What who connects must prove. Absent: anybody may connect, and it is they who verify. */
  readonly peer?: TlsPeerPolicy;
  /** Called with each connection once evidence was exchanged; `peer` is undefined where no policy asks for one. */
  readonly onConnection: (socket: TLSSocket, peer: TlsPeer | undefined) => void;
  /** Called with why a connection was refused. Whoever connected is told nothing. */
  readonly onRefused?: (error: unknown) => void;
  /** Milliseconds for handshake and evidence together. Default: 15,000. */
  readonly timeoutMs?: number;
  /** Connections that may exchange evidence at the same time; each needs a quote of its own. Default: 32. */
  readonly maximumExchanges?: number;
  readonly now?: () => Date;
}

export interface AttestedListener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections and ends those there are. */
  readonly close: () => Promise<void>;
}

/**
 * Listens with TLS 1.3 under a certificate that carries evidence, and answers every connection with evidence made for it.
 * @throws FastnessError `CHANNEL_TLS_LISTEN`, `CHANNEL_TLS_OPTION`, and what the identity's certificate throws
 */
export async function listenAttestedTls(options: ListenAttestedTlsOptions): Promise<AttestedListener> {
  const { identity, peer, onConnection, onRefused = () => undefined, now = () => new Date() } = options;
  const { timeoutMs = 15_000, maximumExchanges = 32 } = options;
  if (!(timeoutMs > 0 && maximumExchanges >= 1))
    throw new FastnessError('CHANNEL_TLS_OPTION', 'timeoutMs and maximumExchanges must be above zero.');
  const sockets = new Set<TLSSocket>();
  let exchanging = 0;

  const serve = async (socket: TLSSocket): Promise<void> => {
    if (exchanging >= maximumExchanges) throw new FastnessError('CHANNEL_TLS_BUSY', `${exchanging} connections.`);
    const limit = new AbortController();
    const late = new FastnessError('CHANNEL_TLS_TIMEOUT', `${timeoutMs} ms.`);
    const timer = setTimeout(() => limit.abort(late), timeoutMs);
    exchanging += 1;
    const quiet = (): void => undefined;
    socket.on('error', quiet);
    try {
      const verified = await exchangeAsServer({ socket, peer, identity, now, signal: limit.signal });
      socket.off('error', quiet);
      onConnection(socket, verified);
    } finally {
      clearTimeout(timer);
      exchanging -= 1;
    }
  };

  const context = {
    ...attestedTls,
    // A resumed session shows no certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
    requestCert: peer !== undefined,
  };
  const credentials = { key: pemOf(identity.key), cert: (await identity.certificate()).pem };
  const server = createServer({ ...context, ...credentials, handshakeTimeout: timeoutMs }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket).catch((error: unknown) => {
      socket.on('error', () => undefined);
      socket.destroy();
      onRefused(error);
    });
  });
  server.on('tlsClientError', (cause: Error) =>
    onRefused(new FastnessError('CHANNEL_TLS_HANDSHAKE', undefined, { cause })),
  );
  const stopRenewing = keepCertificate(server, { identity, context, onError: onRefused });
  try {
    await started(server, options);
  } catch (error) {
    stopRenewing();
    throw error;
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new FastnessError('CHANNEL_TLS_LISTEN');
  return {
    host: address.address,
    port: address.port,
    close: async () => {
      stopRenewing();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function started(server: Server, { host, port }: ListenAttestedTlsOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('CHANNEL_TLS_LISTEN', `${host}:${port}`, { cause })));
    server.listen(port, host, resolve);
  });
}
