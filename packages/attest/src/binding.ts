import { utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, type Cmw } from './cmw.ts';
import { framedHash } from './framed-hash.ts';
import { roleOf } from './roles.ts';
import type { Tee } from './tees.ts';

export const sessionPurposes = Object.freeze([
  'key-release',
  'client',
  'client-batch',
  'client-tls',
  'client-tls-batch',
  'tls',
  'tls-certificate',
] as const);
export type SessionPurpose = (typeof sessionPurposes)[number];

/** What a verifier and an enclave agree on for one exchange; every piece of evidence of the exchange is bound to it. */
export interface SessionBinding {
  /**
   * Evidence for a broker cannot be replayed to a client, nor the other way round. `client-batch`: for every client whose
   * nonce is under a root (`gatherNonces`), so that a root cannot pass for a nonce that a client chose, nor a nonce for a root.
   * `client-tls`, `client-tls-batch`: the same for clients on a TLS connection that ends at the attester, where
   * `tlsConnectionNonceOf` stands for the nonce. `tls`: a peer on such a connection that is no enclave's client.
   * `tls-certificate`: whoever sees the certificate; the nonce is `tlsCertificateNonceOf`.
   */
  readonly purpose: SessionPurpose;
  /** The verifier's fresh nonce, 32 bytes; of a batch, its root. */
  readonly nonce: Uint8Array;
  /** {@link keyConfigDigestOf} the enclave's public keys, 32 bytes; for `tls` and `tls-certificate`, `tlsKeyDigestOf` the key. */
  readonly keyConfigDigest: Uint8Array;
  /** SHA-256 of the signed release, 32 bytes. */
  readonly releaseDigest: Uint8Array;
}

/**
 * What an enclave binds into the 64 bytes of report data. Prover and verifier call the same function, so that they cannot
 * disagree. A key hash alone is not enough: once any genuine machine leaks a key, its evidence could be replayed in front
 * of another. So the verifier's nonce, the purpose, the release and the evidence of attached devices are bound as well.
 */
export interface ReportDataFields extends SessionBinding {
  /** {@link deviceEvidenceDigestOf} the evidence of GPUs and other devices, 32 bytes; null when there are none. */
  readonly deviceEvidenceDigest: Uint8Array | null;
}

const REPORT_DATA_LABEL = 'fastness/report-data/v1';
const SHORT_REPORT_DATA_LABEL = 'fastness/report-data-32/v1';
const DEVICE_EVIDENCE_LABEL = 'fastness/device-evidence-digest/v1';
const DEVICE_NONCE_LABEL = 'fastness/device-nonce/v1';
const KEY_CONFIG_LABEL = 'fastness/key-config-digest/v1';
const DIGEST_BYTES = 32;
const MAX_KEY_CONFIG_BYTES = 65_536;
const purposes: ReadonlySet<string> = new Set(sessionPurposes);

/**
 * The 64 bytes of report data: SHA-512 over label, purpose, nonce, key configuration digest, release digest and device
 * evidence digest, each preceded by its length (32 bits, big-endian). No devices is a field of length zero, which no digest
 * has. Throws ATTEST_BINDING_INPUT.
 */
export async function reportDataOf(fields: ReportDataFields): Promise<Uint8Array> {
  return framedHash('SHA-512', [utf8Encode(REPORT_DATA_LABEL), ...sessionParts(fields), deviceDigest(fields)]);
}

/**
 * What evidence of a TEE must carry for these fields: {@link reportDataOf}, or 32 bytes of the same content (SHA-256, under a
 * label of its own) where the evidence is a TPM's quote, because TPMs take no more than their largest digest.
 * Throws ATTEST_BINDING_INPUT.
 */
export async function reportDataFor(tee: Tee, fields: ReportDataFields): Promise<Uint8Array> {
  if (roleOf(tee).boundBytes === 64) return reportDataOf(fields);
  return framedHash('SHA-256', [utf8Encode(SHORT_REPORT_DATA_LABEL), ...sessionParts(fields), deviceDigest(fields)]);
}

/**
 * The nonce that a device is asked with: SHA-256 over label, purpose, nonce, key configuration digest, release digest and the
 * device's label in the collection, framed as in {@link reportDataOf}; 32 bytes. The device's label is in it, so that one
 * device cannot answer for two. Throws ATTEST_BINDING_INPUT.
 */
export async function deviceNonceOf(session: SessionBinding, label: string): Promise<Uint8Array> {
  return framedHash('SHA-256', [utf8Encode(DEVICE_NONCE_LABEL), ...sessionParts(session), utf8Encode(label)]);
}

/**
 * 32 bytes that stand for the evidence of all attached devices, or null when there is none: SHA-256 over a label and, in the
 * order of their labels, of each device the label, the media type and the value, framed as in {@link reportDataOf}. The
 * processor's evidence carries this digest, so that a host cannot exchange, add or leave out a device afterwards.
 *
 * What it does not show: that the device is attached to this machine. The software in the enclave asked the device over a
 * bus that the host controls; on NVIDIA Hopper nothing in the evidence says in whose machine the GPU sits, so a host can
 * present a genuine GPU of another. What protects the data is the encrypted session that the driver opens with the device.
 */
export async function deviceEvidenceDigestOf(devices: ReadonlyMap<string, Cmw>): Promise<Uint8Array | null> {
  if (devices.size === 0) return null;
  const parts = [...devices]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([label, record]) => {
      const { type, value } = checkCmw(record);
      return [utf8Encode(label), utf8Encode(type), value];
    });
  return framedHash('SHA-256', [utf8Encode(DEVICE_EVIDENCE_LABEL), ...parts]);
}

/**
 * 32 bytes that stand for the enclave's public keys: SHA-256 over a label, the OHTTP key configuration list (RFC 9458) and
 * the raw Ed25519 key (32 bytes) that signs receipts, framed as in {@link reportDataOf}. Throws ATTEST_BINDING_INPUT.
 */
export async function keyConfigDigestOf(keys: {
  readonly ohttpKeyConfig: Uint8Array;
  readonly receiptKey: Uint8Array;
}): Promise<Uint8Array> {
  const { ohttpKeyConfig } = keys;
  if (
    !(ohttpKeyConfig instanceof Uint8Array) ||
    ohttpKeyConfig.length === 0 ||
    ohttpKeyConfig.length > MAX_KEY_CONFIG_BYTES
  ) {
    throw wrong('ohttpKeyConfig', `must be 1 to ${MAX_KEY_CONFIG_BYTES} bytes`);
  }
  return framedHash('SHA-256', [utf8Encode(KEY_CONFIG_LABEL), ohttpKeyConfig, digest('receiptKey', keys.receiptKey)]);
}

function sessionParts(session: SessionBinding): Uint8Array[] {
  if (!purposes.has(session.purpose)) throw wrong('purpose', 'is unknown');
  return [
    utf8Encode(session.purpose),
    digest('nonce', session.nonce),
    digest('keyConfigDigest', session.keyConfigDigest),
    digest('releaseDigest', session.releaseDigest),
  ];
}

function deviceDigest({ deviceEvidenceDigest }: ReportDataFields): Uint8Array {
  return deviceEvidenceDigest === null ? new Uint8Array(0) : digest('deviceEvidenceDigest', deviceEvidenceDigest);
}

function digest(field: string, value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== DIGEST_BYTES)
    throw wrong(field, `must be ${DIGEST_BYTES} bytes`);
  return value;
}

function wrong(field: string, why: string): FastnessError {
  return new FastnessError('ATTEST_BINDING_INPUT', `${field} ${why}.`);
}
