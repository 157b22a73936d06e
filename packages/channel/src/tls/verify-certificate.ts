import {
  noReleaseDigest,
  tlsCertificateNonceOf,
  tlsConnectionNonceOf,
  tlsKeyDigestOf,
  verifyEvidence,
  type AttestationPolicy,
  type AttestationVerdict,
  type Cmw,
  type CompositeVerdict,
  type SessionBinding,
  type TrustAnchors,
} from '@fastness/attest';
import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import {
  checkCriticalExtensions,
  checkValidity,
  parseCertificate,
  verifySignature,
  type Certificate,
} from '@fastness/codec/x509';
import { CMW_EXTENSION_OID, decodeEvidenceExtension, type TlsEvidence } from './extension.ts';

/** What one side demands of the other. */
export interface TlsPeerPolicy {
  /** What its evidence must show: the policy of `verifyEvidence`. */
  readonly attestation: AttestationPolicy;
  readonly anchors: TrustAnchors;
  /** SHA-256 of the signed release that the peer must run, 32 bytes. Absent: a service that serves no release. */
  readonly releaseDigest?: Uint8Array;
  /** Seconds that a certificate may be valid for, from its first to its last. Default: 86,400. */
  readonly maximumLifetimeSeconds?: number;
  /** What this side has of what vendors publish, for peers that do not send everything. */
  readonly endorsements?: readonly Cmw[];
}

/** A certificate whose evidence met the policy. */
export interface VerifiedTlsCertificate {
  readonly verdict: AttestationVerdict | CompositeVerdict;
  /** The key that the evidence is bound to, SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const DEFAULT_LIFETIME_SECONDS = 86_400;

/**
 * Verifies a self-signed certificate by the evidence in it: signed by its own key, valid now and for no longer than allowed,
 * and with evidence that meets the policy and is bound to this key, these dates, this serial number and the release. Pure.
 *
 * What it does not show: that the peer holds the key, which the handshake does, and that the evidence is younger than the
 * certificate, which the exchange behind the handshake does ({@link verifyTlsConnection}).
 * @param raw DER
 * @throws FastnessError `CODEC_*`, `X509_*`, `CHANNEL_TLS_LIFETIME`, `CHANNEL_TLS_EVIDENCE_MISSING`,
 *   `CHANNEL_TLS_EVIDENCE_MALFORMED` and the codes of `verifyEvidence`
 */
export async function verifyTlsCertificate(options: {
  readonly raw: Uint8Array;
  readonly peer: TlsPeerPolicy;
  readonly now: Date;
}): Promise<VerifiedTlsCertificate> {
  const { peer, now } = options;
  const certificate = parseCertificate(options.raw);
  await checkSelfSigned(certificate);
  checkValidity(certificate, now);
  const { spki, serial, notBefore, notAfter } = certificate;
  const limit = peer.maximumLifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS;
  const seconds = (notAfter.getTime() - notBefore.getTime()) / 1000;
  if (!(seconds <= limit)) throw new FastnessError('CHANNEL_TLS_LIFETIME', `${seconds} seconds; at most ${limit}.`);
  const extension = certificate.extensions.get(CMW_EXTENSION_OID);
  if (extension === undefined) throw new FastnessError('CHANNEL_TLS_EVIDENCE_MISSING');
  const nonce = await tlsCertificateNonceOf({ serial, notBefore, notAfter });
  const verdict = await verifyFor(decodeEvidenceExtension(extension.value), peer, now, {
    purpose: 'tls-certificate',
    nonce,
    keyConfigDigest: await tlsKeyDigestOf(spki),
  });
  return { verdict, spki, notBefore, notAfter };
}

/**
 * Verifies evidence that the peer made for one connection: it is bound to the nonce that was just sent, to the exporter of
 * the connection and to the key of the peer's certificate on it.
 * @throws FastnessError the codes of `verifyEvidence`
 */
export async function verifyTlsConnection(options: {
  readonly answer: TlsEvidence;
  readonly nonce: Uint8Array;
  /** `tlsExporterDigestOf` the exporter that this side has. */
  readonly exporterDigest: Uint8Array;
  /** Of the peer's certificate. */
  readonly spki: Uint8Array;
  readonly peer: TlsPeerPolicy;
  readonly now: Date;
}): Promise<AttestationVerdict | CompositeVerdict> {
  const { answer, nonce, exporterDigest, spki, peer, now } = options;
  return verifyFor(answer, peer, now, {
    purpose: 'tls',
    nonce: await tlsConnectionNonceOf({ nonce, exporterDigest, spki }),
    keyConfigDigest: await tlsKeyDigestOf(spki),
  });
}

async function verifyFor(
  { evidence, endorsements }: TlsEvidence,
  peer: TlsPeerPolicy,
  now: Date,
  session: Omit<SessionBinding, 'releaseDigest'>,
): Promise<AttestationVerdict | CompositeVerdict> {
  return verifyEvidence({
    evidence,
    endorsements: [...endorsements, ...(peer.endorsements ?? [])],
    policy: peer.attestation,
    anchors: peer.anchors,
    session: { ...session, releaseDigest: peer.releaseDigest ?? (await noReleaseDigest()) },
    now,
  });
}

/** Its own key signed it, so that nobody else chose what else is in it. It is no authority and needs not be one. */
async function checkSelfSigned(certificate: Certificate): Promise<void> {
  if (!equalBytes(certificate.issuer.raw, certificate.subject.raw)) throw new FastnessError('X509_ISSUER_NAME');
  if (certificate.keyUsage?.has('digitalSignature') === false)
    throw new FastnessError('X509_KEY_USAGE', 'digitalSignature');
  checkCriticalExtensions(certificate, [CMW_EXTENSION_OID]);
  const { signatureAlgorithm: algorithm, signature, tbs } = certificate;
  await verifySignature({ holder: certificate, algorithm, signature, message: tbs });
}
