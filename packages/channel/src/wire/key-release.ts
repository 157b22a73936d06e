import { maxKeyShares } from '@fastness/model/release';
import { z } from 'zod';
import {
  base64Url32Schema,
  base64UrlUpTo,
  cmwJsonSchema,
  evidenceJsonSchema,
  hex32Schema,
  identifierSchema,
  isoTimeSchema,
  logProofSchema,
} from './fields.ts';

/** Answer to `POST /v1/challenges`: a nonce (base64url, 32 bytes) that serves one key release until `expiresAt`. */
export const challengeSchema = z.strictObject({ nonce: base64Url32Schema, expiresAt: isoTimeSchema });
export type Challenge = z.infer<typeof challengeSchema>;

/**
 * Body of `POST /v1/key-releases`. `nonce` is the broker's challenge, `enclaveNonce` the enclave's own (freshness of the
 * lease); `leaseId` asks for a renewal, which carries no key.
 */
export const keyReleaseRequestSchema = z.strictObject({
  nonce: base64Url32Schema,
  enclaveNonce: base64Url32Schema,
  evidence: evidenceJsonSchema,
  endorsements: z.array(cmwJsonSchema).max(16),
  keyConfig: base64UrlUpTo(16 * 1024),
  receiptKey: base64Url32Schema,
  releaseDigest: hex32Schema,
  leaseId: identifierSchema.optional(),
});
export type KeyReleaseRequest = z.infer<typeof keyReleaseRequestSchema>;

/** One HPKE message: encapsulated secret and ciphertext, base64url. */
export const sealedKeySchema = z.strictObject({ enc: base64UrlUpTo(2048), ciphertext: base64UrlUpTo(4096) });
export type SealedKey = z.infer<typeof sealedKeySchema>;

/** A broker's share of a model's root key, with its number. */
const sealedKeyShareSchema = sealedKeySchema.extend({ index: z.int().min(1).max(maxKeyShares) });

/**
 * Answer to `POST /v1/key-releases`. `sealedRoot` is the model's root key sealed to the enclave's X-Wing key (absent on
 * a renewal), or `sealedShare` the broker's share of it in the same way, where the release shares the key; `lease` a COSE_Sign1 (base64url) under the broker key that the release names, `ear` the broker's verdict
 * as a signed JWT, `brokerTime` the broker's clock, `logProof` the proof that the broker's log has this very release or
 * renewal (c2sp.org/tlog-proof, with the entry in it; present when the release names a log key).
 */
export const keyReleaseResponseSchema = z.strictObject({
  sealedRoot: sealedKeySchema.optional(),
  sealedShare: sealedKeyShareSchema.optional(),
  lease: base64UrlUpTo(4096),
  ear: z
    .string()
    .max(64 * 1024)
    .regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
  brokerTime: isoTimeSchema,
  logProof: logProofSchema.optional(),
});
export type KeyReleaseResponse = z.infer<typeof keyReleaseResponseSchema>;
