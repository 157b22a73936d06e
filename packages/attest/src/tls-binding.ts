import { utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { framedHash } from './framed-hash.ts';

const TLS_KEY_LABEL = 'fastness/tls-key-digest/v1';
const CERTIFICATE_NONCE_LABEL = 'fastness/tls-certificate-nonce/v1';
const EXPORTER_LABEL = 'fastness/tls-exporter-digest/v1';
const CONNECTION_NONCE_LABEL = 'fastness/tls-connection-nonce/v1';
const NO_RELEASE = 'fastness/no-release/v1';
const DIGEST_BYTES = 32;
const MAX_SPKI_BYTES = 4096;

/** Label of the exporter of a TLS connection that evidence is bound to (RFC 9266, section 2): no context, 32 bytes. */
export const TLS_EXPORTER_LABEL = 'EXPORTER-Channel-Binding';

/**
 * Stands for a TLS key where a session has the digest of an enclave's keys: SHA-256 over a label and the DER of the
 * SubjectPublicKeyInfo, framed as report data is. Throws ATTEST_BINDING_INPUT.
 */
export async function tlsKeyDigestOf(spki: Uint8Array): Promise<Uint8Array> {
  return framedHash('SHA-256', [utf8Encode(TLS_KEY_LABEL), requireSpki(spki)]);
}

/**
 * The nonce of evidence in a certificate, which nobody asked for: SHA-256 over a label, the octets of the serial number and
 * both dates as ISO 8601 with milliseconds. So software in the TEE chose the dates, and whoever gets hold of the key cannot
 * give the evidence a longer life. Throws ATTEST_BINDING_INPUT.
 */
export async function tlsCertificateNonceOf(certificate: {
  /** INTEGER content octets, 1 to 20. */
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}): Promise<Uint8Array> {
  const { serial, notBefore, notAfter } = certificate;
  if (!(serial instanceof Uint8Array) || serial.length === 0 || serial.length > 20)
    throw wrong('serial', 'must be 1 to 20 bytes');
  const dates = [notBefore, notAfter].map((date) => utf8Encode(isoOf(date)));
  return framedHash('SHA-256', [utf8Encode(CERTIFICATE_NONCE_LABEL), serial, ...dates]);
}

/** What is told of an exporter: SHA-256 over a label and its 32 bytes. It names the connection and is no secret. Throws ATTEST_BINDING_INPUT. */
export async function tlsExporterDigestOf(exporter: Uint8Array): Promise<Uint8Array> {
  return framedHash('SHA-256', [utf8Encode(EXPORTER_LABEL), digest('exporter', exporter)]);
}

/**
 * Stands for the nonce of evidence made for one TLS connection: SHA-256 over a label, the peer's nonce, the digest of the
 * exporter and the key of the certificate that the attester showed on it. Whoever ends TLS in between has other
 * connections, with other exporters, on both sides. Throws ATTEST_BINDING_INPUT.
 */
export async function tlsConnectionNonceOf(connection: {
  /** 32 bytes, from the peer. */
  readonly nonce: Uint8Array;
  /** {@link tlsExporterDigestOf}. */
  readonly exporterDigest: Uint8Array;
  /** The attester's, DER. */
  readonly spki: Uint8Array;
}): Promise<Uint8Array> {
  const { nonce, exporterDigest, spki } = connection;
  return framedHash('SHA-256', [
    utf8Encode(CONNECTION_NONCE_LABEL),
    digest('nonce', nonce),
    digest('exporterDigest', exporterDigest),
    requireSpki(spki),
  ]);
}

/** Stands for the release in sessions of services that serve none: SHA-256 over a label alone, which no release has. */
export async function noReleaseDigest(): Promise<Uint8Array> {
  return framedHash('SHA-256', [utf8Encode(NO_RELEASE)]);
}

function requireSpki(spki: Uint8Array): Uint8Array {
  if (spki instanceof Uint8Array && spki.length > 0 && spki.length <= MAX_SPKI_BYTES) return spki;
  throw wrong('spki', `must be 1 to ${MAX_SPKI_BYTES} bytes`);
}

function isoOf(date: Date): string {
  if (date instanceof Date && !Number.isNaN(date.getTime())) return date.toISOString();
  throw wrong('notBefore and notAfter', 'must be dates');
}

function digest(field: string, value: Uint8Array): Uint8Array {
  if (value instanceof Uint8Array && value.length === DIGEST_BYTES) return value;
  throw wrong(field, `must be ${DIGEST_BYTES} bytes`);
}

function wrong(field: string, why: string): FastnessError {
  return new FastnessError('ATTEST_BINDING_INPUT', `${field} ${why}.`);
}
