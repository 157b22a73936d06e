import { connect, type TLSSocket } from 'node:tls';
import { TLS_ALPN, type TlsPeerPolicy } from '@fastness/channel/tls';
import { FastnessError } from '@fastness/codec/errors';
import { pemOf } from './certificate.ts';
import { exchangeAsClient, type TlsPeer } from './exchange.ts';
import type { TlsIdentity } from './identity.ts';

export interface ConnectAttestedTlsOptions {
  readonly host: string;
  readonly port: number;
  /** What the peer must prove. */
  readonly peer: TlsPeerPolicy;
  /** What this side shows when the peer asks. Absent: nothing. */
  readonly identity?: TlsIdentity;
  /** Milliseconds for connection, handshake and evidence together. Default: 15,000. */
  readonly timeoutMs?: number;
  readonly now?: () => Date;
}

/** A connection whose other end is proved. Everything written to `socket` goes to that end alone. */
export interface AttestedConnection {
  /** A duplex stream; nothing of it was read or written for the application yet. */
  readonly socket: TLSSocket;
  readonly peer: TlsPeer;
}

/** Certificates are judged by their evidence: names and authorities say nothing here. TLS 1.3 checks that the peer holds the key. */
export const attestedTls = Object.freeze({
  minVersion: 'TLSv1.3',
  ALPNProtocols: [TLS_ALPN],
  rejectUnauthorized: false,
} as const);

/**
 * Connects over TLS 1.3 and verifies the peer before the application may send a byte: the evidence in its certificate, and
 * evidence that it makes for this connection and this nonce. A connection that fails is closed; there is no way on with it.
 * @throws FastnessError `CHANNEL_TLS_*`, the codes of `verifyTlsCertificate`, and those of this side's own `collect`
 */
export async function connectAttestedTls(options: ConnectAttestedTlsOptions): Promise<AttestedConnection> {
  const { host, port, peer, identity, timeoutMs = 15_000, now = () => new Date() } = options;
  if (!(timeoutMs > 0)) throw new FastnessError('CHANNEL_TLS_OPTION', 'timeoutMs must be above zero.');
  const own = await identity?.certificate();
  const late = new FastnessError('CHANNEL_TLS_TIMEOUT', `${timeoutMs} ms.`);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(late), timeoutMs);
  const credentials = identity === undefined || own === undefined ? {} : { key: pemOf(identity.key), cert: own.pem };
  const socket = connect({ host, port, ...attestedTls, ...credentials });
  const quiet = (): void => undefined;
  socket.on('error', quiet);
  try {
    await secured(socket, limit.signal);
    const verified = await exchangeAsClient({ socket, peer, identity, now, signal: limit.signal });
    // From here on errors are the application's: without a listener they end the process, as with any socket.
    socket.off('error', quiet);
    return { socket, peer: verified };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off('secureConnect', ok);
      socket.off('error', failed);
      socket.off('close', closed);
      signal.removeEventListener('abort', late);
    };
    const ok = (): void => {
      done();
      resolve();
    };
    const failed = (cause?: Error): void => {
      done();
      const code = cause !== undefined && 'code' in cause ? String(cause.code) : undefined;
      reject(new FastnessError('CHANNEL_TLS_HANDSHAKE', code, { cause }));
    };
    const closed = (): void => failed();
    const late = (): void => {
      done();
      const reason: unknown = signal.reason;
      reject(reason);
    };
    socket.once('secureConnect', ok);
    socket.once('error', failed);
    socket.once('close', closed);
    signal.addEventListener('abort', late, { once: true });
  });
}
