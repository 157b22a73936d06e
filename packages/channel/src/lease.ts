import { equalBytes } from '@fastness/codec/bytes';
import type { CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { ClaimReader, importEd25519, secondsOf, signClaims, verifyClaims, type SignBytes } from './signed-claims.ts';

/** A broker's permission for one enclave to serve one release. Digests and nonce are 32 bytes. */
export interface LeaseClaims {
  readonly leaseId: string;
  readonly releaseDigest: Uint8Array;
  readonly keyConfigDigest: Uint8Array;
  /** The enclave's nonce of this exchange: an old lease does not pass for a new one. */
  readonly enclaveNonce: Uint8Array;
  /**
   * Life of the lease in seconds. The enclave counts it by its own monotonic clock from the moment it sent its request;
   * the wall clock belongs to the host.
   */
  readonly ttlSeconds: number;
  /** By the broker's clock, for logs; whole seconds. */
  readonly issuedAt: Date;
}

const label = { id: 1, release: 2, keyConfig: 3, nonce: 4, ttl: 5, issuedAt: 6 } as const;
const codes = { malformed: 'CHANNEL_LEASE_MALFORMED', signature: 'CHANNEL_LEASE_SIGNATURE' } as const;
const idPattern = /^[A-Za-z0-9._:-]{1,128}$/;

/** Longest life of a lease: 30 days. */
export const maxLeaseSeconds = 30 * 24 * 3600;

/** Protected `typ` of a lease. */
export const leaseType = 'application/vnd.fastness.lease+cose';

/**
 * Signs a lease with the broker's Ed25519 key.
 * @throws FastnessError `CHANNEL_LEASE_MALFORMED` for claims that no verifier would accept
 */
export async function signLease(options: { claims: LeaseClaims; sign: SignBytes }): Promise<Uint8Array> {
  const { claims, sign } = options;
  const map = new Map<number, CborValue>([
    [label.id, claims.leaseId],
    [label.release, claims.releaseDigest],
    [label.keyConfig, claims.keyConfigDigest],
    [label.nonce, claims.enclaveNonce],
    [label.ttl, claims.ttlSeconds],
    [label.issuedAt, secondsOf(claims.issuedAt)],
  ]);
  readLease(map);
  return signClaims({ type: leaseType, claims: map, sign });
}

/**
 * Verifies the signature of a lease; what it is for is the caller's to compare.
 * @param options.brokerKey the broker key of the verified release: SubjectPublicKeyInfo DER of an Ed25519 key
 * @throws FastnessError `CHANNEL_LEASE_MALFORMED`, `CHANNEL_LEASE_SIGNATURE`
 */
export async function openLease(options: { lease: Uint8Array; brokerKey: Uint8Array }): Promise<LeaseClaims> {
  const publicKey = await importEd25519('spki', options.brokerKey, codes.signature);
  return readLease(await verifyClaims({ type: leaseType, message: options.lease, publicKey, codes }));
}

/**
 * Verifies a lease and that it is for this enclave, this release and this exchange.
 * @param options.brokerKey the broker key of the verified release: SubjectPublicKeyInfo DER of an Ed25519 key
 * @throws FastnessError `CHANNEL_LEASE_MALFORMED`, `CHANNEL_LEASE_SIGNATURE`, `CHANNEL_LEASE_MISMATCH`
 */
export async function verifyLease(options: {
  lease: Uint8Array;
  brokerKey: Uint8Array;
  expected: { releaseDigest: Uint8Array; keyConfigDigest: Uint8Array; enclaveNonce: Uint8Array; leaseId?: string };
}): Promise<LeaseClaims> {
  const { expected } = options;
  const lease = await openLease(options);
  for (const field of ['releaseDigest', 'keyConfigDigest', 'enclaveNonce'] as const) {
    if (!equalBytes(lease[field], expected[field]))
      throw new FastnessError('CHANNEL_LEASE_MISMATCH', `${field} differs.`);
  }
  if (expected.leaseId !== undefined && lease.leaseId !== expected.leaseId) {
    throw new FastnessError('CHANNEL_LEASE_MISMATCH', 'leaseId differs.');
  }
  return lease;
}

function readLease(claims: ReadonlyMap<number | bigint | string, CborValue>): LeaseClaims {
  const reader = new ClaimReader(claims, codes.malformed);
  const lease: LeaseClaims = {
    leaseId: reader.text(label.id, idPattern),
    releaseDigest: reader.digest(label.release),
    keyConfigDigest: reader.digest(label.keyConfig),
    enclaveNonce: reader.digest(label.nonce),
    ttlSeconds: reader.integer(label.ttl, maxLeaseSeconds),
    issuedAt: reader.time(label.issuedAt),
  };
  reader.done();
  if (lease.ttlSeconds === 0) throw new FastnessError(codes.malformed, 'A lease of no time.');
  return lease;
}
