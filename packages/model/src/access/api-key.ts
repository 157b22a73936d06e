import { createHash, randomBytes } from 'node:crypto';
import { utf8Encode } from '@fastness/codec/bytes';

/**
 * A key that a tenant of an enclave presents: `fsk_`, 16 characters that name the key, `_`, 43 characters of secret; base64url,
 * 64 characters in all, so that every request with a key has one size. The name is looked up; the secret, 256 random bits, is
 * only ever compared, as part of the digest of the whole.
 */
const pattern = /^fsk_([A-Za-z0-9_-]{16})_[A-Za-z0-9_-]{43}$/;

export interface NewApiKey {
  /** For the tenant alone. */
  readonly key: string;
  readonly id: string;
  /** Hex; this is all that anybody else needs. */
  readonly sha256: string;
}

export function newApiKey(): NewApiKey {
  const id = randomBytes(12).toString('base64url');
  const key = `fsk_${id}_${randomBytes(32).toString('base64url')}`;
  return { key, id, sha256: apiKeyDigest(key).toString('hex') };
}

/** The name inside a key; undefined for what is no key. */
export function apiKeyId(key: string): string | undefined {
  return pattern.exec(key)?.[1];
}

/** 32 bytes. A key is random throughout, so a plain digest of it cannot be searched for. */
export function apiKeyDigest(key: string): Buffer {
  return createHash('sha256').update('fastness/api-key/v1\0').update(utf8Encode(key)).digest();
}
