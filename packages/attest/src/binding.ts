import { concatBytes, u32be, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/**
 * What an enclave binds into the 64 bytes of report data. Prover and verifier call the same function, so that they cannot
 * disagree. A key hash alone is not enough: once any genuine machine leaks a key, its evidence could be replayed in front
 * of another. So the verifier's nonce, the purpose, the release and the evidence of attached devices are bound as well.
 */
export interface ReportDataFields {
  /** Evidence for a broker cannot be replayed to a client, nor the other way round. */
  readonly purpose: 'key-release' | 'client';
  /** The verifier's fresh nonce, 32 bytes. */
  readonly nonce: Uint8Array;
  /** {@link keyConfigDigestOf} the enclave's public keys, 32 bytes. */
  readonly keyConfigDigest: Uint8Array;
  /** SHA-256 of the signed release, 32 bytes. */
  readonly releaseDigest: Uint8Array;
  /** SHA-256 over the evidence of GPUs and other devices, 32 bytes; null when there are none. */
  readonly deviceEvidenceDigest: Uint8Array | null;
}

const REPORT_DATA_LABEL = 'fastness/report-data/v1';
const KEY_CONFIG_LABEL = 'fastness/key-config-digest/v1';
const DIGEST_BYTES = 32;
const MAX_KEY_CONFIG_BYTES = 65_536;
const purposes: ReadonlySet<string> = new Set(['key-release', 'client']);

/**
 * The 64 bytes of report data: SHA-512 over label, purpose, nonce, key configuration digest, release digest and device
 * evidence digest, each preceded by its length (32 bits, big-endian). No devices is a field of length zero, which no digest
 * has. Throws ATTEST_BINDING_INPUT.
 */
export async function reportDataOf(fields: ReportDataFields): Promise<Uint8Array> {
  if (!purposes.has(fields.purpose)) throw wrong('purpose', 'is unknown');
  const parts = [
    utf8Encode(REPORT_DATA_LABEL),
    utf8Encode(fields.purpose),
    digest('nonce', fields.nonce),
    digest('keyConfigDigest', fields.keyConfigDigest),
    digest('releaseDigest', fields.releaseDigest),
    fields.deviceEvidenceDigest === null
      ? new Uint8Array(0)
      : digest('deviceEvidenceDigest', fields.deviceEvidenceDigest),
  ];
  return hash('SHA-512', parts);
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
  return hash('SHA-256', [utf8Encode(KEY_CONFIG_LABEL), ohttpKeyConfig, digest('receiptKey', keys.receiptKey)]);
}

async function hash(algorithm: 'SHA-256' | 'SHA-512', parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const framed = concatBytes(...parts.flatMap((part) => [u32be(part.length), part]));
  return new Uint8Array(await globalThis.crypto.subtle.digest(algorithm, framed));
}

function digest(field: string, value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== DIGEST_BYTES)
    throw wrong(field, `must be ${DIGEST_BYTES} bytes`);
  return value;
}

function wrong(field: string, why: string): FastnessError {
  return new FastnessError('ATTEST_BINDING_INPUT', `${field} ${why}.`);
}
