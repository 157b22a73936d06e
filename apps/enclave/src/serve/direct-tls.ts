import { constants } from 'node:crypto';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  bareCertificate,
  createTlsIdentity,
  createTlsKey,
  exporterDigestOf,
  keepCertificate,
  pemOf,
} from '@fastness/channel/node/tls';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate } from '@fastness/codec/x509';
import type { CollectEvidence } from '../boot/request-key.ts';
import { errorFields, type Log } from '../log.ts';
import { listen, type Listener } from './node-http.ts';

/** The TLS connection of a request, as its evidence names it. */
export interface BoundTls {
  readonly exporterDigest: Uint8Array;
  /** The enclave's key on it, SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
}

export interface DirectTls extends Listener {
  /** From here on the certificate carries evidence. A machine whose evidence fits into none goes on without. */
  readonly certify: (collect: CollectEvidence, releaseDigest: Uint8Array) => Promise<void>;
}

const context = Object.freeze({ minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] } as const);

/**
 * The enclave's second door: TLS 1.3 that ends inside, for clients that connect to the enclave itself and bind its evidence to
 * the connection. The key is born here and goes with the process. Throws ENCLAVE_LISTEN.
 */
export async function listenDirectTls(
  handler: Parameters<typeof listen>[0],
  options: Omit<Parameters<typeof listen>[1], 'tls'> & { readonly log: Log; readonly now?: () => Date },
): Promise<DirectTls> {
  const { log, now = () => new Date(), ...rest } = options;
  const key = createTlsKey();
  let server: Server | undefined;
  let stopRenewing = (): void => undefined;
  const listener = await listen(handler, {
    ...rest,
    tls: {
      // A resumed session would show no certificate.
      options: {
        ...context,
        secureOptions: constants.SSL_OP_NO_TICKET,
        key: pemOf(key.privateKey),
        cert: bareCertificate(key),
      },
      onServer: (made) => (server = made),
    },
  });
  return {
    url: listener.url,
    certify: async (collect, releaseDigest) => {
      if (server === undefined) return;
      try {
        const identity = await identityOf({ key, collect, releaseDigest, now });
        stopRenewing = keepCertificate(server, {
          identity,
          context: { ...context, secureOptions: constants.SSL_OP_NO_TICKET },
          onError: (error) => log('warn', 'tls-certificate', errorFields(error)),
        });
      } catch (error) {
        // Clients do not need it: what they ask for is bound to the connection.
        log('warn', 'tls-certificate', errorFields(error));
      }
    },
    close: async (graceMs) => {
      stopRenewing();
      await listener.close(graceMs);
    },
  };
}

async function identityOf(options: Parameters<typeof createTlsIdentity>[0]) {
  try {
    return await createTlsIdentity(options);
  } catch (error) {
    if (!(error instanceof FastnessError) || error.code !== 'CHANNEL_TLS_CERTIFICATE_TOO_LARGE') throw error;
    return createTlsIdentity({ ...options, withEndorsements: false });
  }
}

/** The connection that a request came over; undefined where TLS does not end here. */
export async function boundTlsOf(socket: Socket): Promise<BoundTls | undefined> {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getX509Certificate();
  if (certificate === undefined) return undefined;
  const { spki } = parseCertificate(new Uint8Array(certificate.raw));
  return { exporterDigest: await exporterDigestOf(socket), spki };
}
