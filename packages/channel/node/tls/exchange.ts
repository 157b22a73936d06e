import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  cmwFromJson,
  cmwToJson,
  evidenceFromJson,
  evidenceToJson,
  TLS_EXPORTER_LABEL,
  tlsConnectionNonceOf,
  tlsExporterDigestOf,
  tlsKeyDigestOf,
  type AttestationVerdict,
  type CompositeVerdict,
} from '@fastness/attest';
import {
  TLS_ALPN,
  tlsAnswerSchema,
  tlsHelloSchema,
  tlsWireLimits,
  verifyTlsCertificate,
  verifyTlsConnection,
  type TlsAnswer,
  type TlsPeerPolicy,
  type VerifiedTlsCertificate,
} from '@fastness/channel/tls';
import { parseWireJson } from '@fastness/channel/wire';
import { equalBytes, fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { TlsIdentity } from './identity.ts';
import { readMessage, writeMessage } from './messages.ts';

/** The other side of a connection: what its evidence shows, as of now and on this very connection. */
export interface TlsPeer {
  readonly certificate: VerifiedTlsCertificate;
  /** Of the evidence for this connection. */
  readonly verdict: AttestationVerdict | CompositeVerdict;
  /** The peer's key, SubjectPublicKeyInfo DER: the same for as long as the connection lives. */
  readonly spki: Uint8Array;
}

export interface ExchangeOptions {
  readonly socket: TLSSocket;
  /** What this side demands; undefined where it takes anybody. */
  readonly peer: TlsPeerPolicy | undefined;
  /** What this side shows; undefined where it shows nothing. */
  readonly identity: TlsIdentity | undefined;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** The exporter of RFC 9266: 32 bytes that both ends of one TLS connection have, and nobody else. */
export async function exporterDigestOf(socket: TLSSocket): Promise<Uint8Array> {
  // An empty context and none are the same in TLS 1.3 (RFC 8446, section 7.5).
  return tlsExporterDigestOf(new Uint8Array(socket.exportKeyingMaterial(32, TLS_EXPORTER_LABEL, Buffer.alloc(0))));
}

/** Verifies the certificate that the peer showed in the handshake. Throws CHANNEL_TLS_CERTIFICATE_MISSING, and as `verifyTlsCertificate`. */
async function verifyPeerCertificate(
  socket: TLSSocket,
  peer: TlsPeerPolicy,
  now: Date,
): Promise<VerifiedTlsCertificate> {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new FastnessError('CHANNEL_TLS_CERTIFICATE_MISSING');
  return verifyTlsCertificate({ raw: new Uint8Array(certificate.raw), peer, now });
}

/** The side that connected asks first. It always verifies. */
export async function exchangeAsClient(options: ExchangeOptions & { readonly peer: TlsPeerPolicy }): Promise<TlsPeer> {
  const { socket, peer, identity, now, signal } = options;
  const certificate = await verifyPeerCertificate(socket, peer, now());
  requireProtocol(socket);
  const nonce = randomBytes(32);
  writeMessage(socket, { nonce: toBase64Url(nonce) });
  const answer = parse(tlsAnswerSchema, await readMessage(socket, tlsWireLimits.answer, signal), tlsWireLimits.answer);
  const verdict = await verifyAnswer(options, answer, nonce, certificate);
  if (answer.ask !== undefined) {
    if (identity === undefined) throw new FastnessError('CHANNEL_TLS_EXCHANGE', 'It asks for evidence of this side.');
    writeMessage(socket, await answerTo(socket, identity, fromBase64Url(answer.ask)));
  }
  return { certificate, verdict, spki: certificate.spki };
}

/** The side that listens answers first, and asks in its answer when it has a policy. */
export async function exchangeAsServer(
  options: ExchangeOptions & { readonly identity: TlsIdentity },
): Promise<TlsPeer | undefined> {
  const { socket, peer, identity, now, signal } = options;
  requireProtocol(socket);
  const certificate = peer === undefined ? undefined : await verifyPeerCertificate(socket, peer, now());
  const hello = parse(tlsHelloSchema, await readMessage(socket, tlsWireLimits.hello, signal), tlsWireLimits.hello);
  const ask = randomBytes(32);
  const own = await answerTo(socket, identity, fromBase64Url(hello.nonce));
  writeMessage(socket, certificate === undefined ? own : { ...own, ask: toBase64Url(ask) });
  if (peer === undefined || certificate === undefined) return undefined;
  const answer = parse(tlsAnswerSchema, await readMessage(socket, tlsWireLimits.answer, signal), tlsWireLimits.answer);
  const verdict = await verifyAnswer({ ...options, peer }, answer, ask, certificate);
  return { certificate, verdict, spki: certificate.spki };
}

function requireProtocol(socket: TLSSocket): void {
  if (socket.alpnProtocol !== TLS_ALPN) throw new FastnessError('CHANNEL_TLS_EXCHANGE', 'Another protocol (ALPN).');
}

async function answerTo(socket: TLSSocket, identity: TlsIdentity, nonce: Uint8Array): Promise<TlsAnswer> {
  const { spki, releaseDigest } = identity;
  const exporterDigest = await exporterDigestOf(socket);
  const { evidence, endorsements } = await identity.collect({
    purpose: 'tls',
    nonce: await tlsConnectionNonceOf({ nonce, exporterDigest, spki }),
    keyConfigDigest: await tlsKeyDigestOf(spki),
    releaseDigest,
  });
  return {
    nonce: toBase64Url(nonce),
    exporter: toBase64Url(exporterDigest),
    evidence: evidenceToJson(evidence) as TlsAnswer['evidence'],
    endorsements: endorsements.map(cmwToJson),
  };
}

async function verifyAnswer(
  { socket, peer, now }: ExchangeOptions & { readonly peer: TlsPeerPolicy },
  answer: TlsAnswer,
  nonce: Uint8Array,
  { spki }: VerifiedTlsCertificate,
): Promise<TlsPeer['verdict']> {
  if (!equalBytes(fromBase64Url(answer.nonce), nonce)) throw new FastnessError('CHANNEL_TLS_NONCE');
  const exporterDigest = await exporterDigestOf(socket);
  if (!equalBytes(fromBase64Url(answer.exporter), exporterDigest)) throw new FastnessError('CHANNEL_TLS_EXPORTER');
  return verifyTlsConnection({
    answer: {
      evidence: evidenceFromJson(answer.evidence),
      endorsements: answer.endorsements.map((each) => cmwFromJson(each)),
    },
    nonce,
    exporterDigest,
    spki,
    peer,
    now: now(),
  });
}

function parse<T>(schema: Parameters<typeof parseWireJson<T>>[0], bytes: Uint8Array, limit: number): T {
  try {
    return parseWireJson(schema, bytes, limit);
  } catch (cause) {
    const detail = cause instanceof FastnessError ? cause.detail : undefined;
    throw new FastnessError('CHANNEL_TLS_EXCHANGE', detail, { cause });
  }
}
