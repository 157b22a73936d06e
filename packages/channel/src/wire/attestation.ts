import { NONCE_BATCH_MAX } from '@fastness/attest';
import { maxKeyShares, releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import { base64Url32Schema, base64UrlUpTo, cmwJsonSchema, evidenceJsonSchema, logProofSchema } from './fields.ts';

/**
 * Body of `POST /attestation`: `nonce` is base64url of 32 random bytes that the client chose. `tlsExporter`: the evidence is to
 * be bound to the TLS connection that the request comes over.
 */
export const attestationRequestSchema = z.strictObject({
  nonce: base64Url32Schema,
  tlsExporter: z.literal(true).exactOptional(),
});
export type AttestationRequest = z.infer<typeof attestationRequestSchema>;

/** That the evidence answers this nonce among others: `root`, `size`, `index` and `hashes` of a `NonceProof`. */
export const nonceBatchSchema = z.strictObject({
  root: base64Url32Schema,
  size: z.int().min(1).max(NONCE_BATCH_MAX),
  index: z
    .int()
    .min(0)
    .max(NONCE_BATCH_MAX - 1),
  hashes: z.array(base64Url32Schema).max(Math.ceil(Math.log2(NONCE_BATCH_MAX))),
});
export type NonceBatchJson = z.infer<typeof nonceBatchSchema>;

const leaseToken = base64UrlUpTo(4096);
const firstKeys = z
  .strictObject({
    keyConfig: base64UrlUpTo(16 * 1024),
    receiptKey: base64Url32Schema,
    succession: base64UrlUpTo(4096),
  })
  .exactOptional();
/** The TLS connection that the evidence was made for: digest of its exporter, and the enclave's key on it (SPKI DER). */
const boundTlsSchema = z.strictObject({ exporter: base64Url32Schema, spki: base64UrlUpTo(1024) });

/**
 * By which the broker lets the enclave serve: `token` is the COSE_Sign1 of the last renewal; of a key that brokers share,
 * `shares` has that of every broker whose lease lives, by the number of its share. It names the keys that the enclave
 * began with; where those in use have replaced them, `first` has the first ones and their word for the new (COSE_Sign1).
 */
const shownLeaseSchema = z.union([
  z.strictObject({ token: leaseToken, first: firstKeys }),
  z.strictObject({
    shares: z
      .array(z.strictObject({ share: z.int().min(1).max(maxKeyShares), token: leaseToken }))
      .min(1)
      .max(maxKeyShares),
    first: firstKeys,
  }),
]);

/**
 * Answer to `POST /attestation`: everything that a client needs to verify the enclave without another call.
 * `keyConfig` is an RFC 9458 key configuration list, `receiptKey` a raw Ed25519 public key (32 bytes); the evidence's
 * report data commits to the nonce, to both keys and to the release. With `batch` it commits to the root in place of the nonce,
 * for another purpose, and `batch` proves the nonce to be under that root. With `tls`, `tlsConnectionNonceOf` the nonce, the
 * exporter and the key stands for the nonce in either case, for purposes of its own.
 */
export const attestationBundleSchema = z.strictObject({
  format: z.literal('fastness/attestation/v1'),
  nonce: base64Url32Schema,
  batch: nonceBatchSchema.exactOptional(),
  tls: boundTlsSchema.exactOptional(),
  evidence: evidenceJsonSchema,
  endorsements: z.array(cmwJsonSchema).max(16),
  keyConfig: base64UrlUpTo(16 * 1024),
  receiptKey: base64Url32Schema,
  release: releasePackageSchema,
  /** Of a release that names a log: what the broker gave with the key or the last renewal, to show that it was logged. */
  logProof: logProofSchema.exactOptional(),
  lease: shownLeaseSchema.exactOptional(),
});
export type AttestationBundle = z.infer<typeof attestationBundleSchema>;
