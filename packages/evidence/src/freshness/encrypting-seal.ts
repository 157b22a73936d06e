import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { concatBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { RecordSeal } from './record.ts';

/**
 * A seal that encrypts with AES-256-GCM, for the state of an enclave: nonce (12), tag (16), ciphertext. The key is one that
 * only this enclave gets back: sealed to its TPM, or derived by its processor. Random nonces: at most 2^32 records a key.
 */
export function encryptingSeal(key: Uint8Array): RecordSeal {
  if (key.length !== 32) throw new FastnessError('FRESHNESS_CONFIG', `A key of ${key.length} bytes.`);
  const aad = Buffer.from('fastness/freshness-state/v1');
  return {
    protect(record) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
      const ciphertext = concatBytes(cipher.update(record), cipher.final());
      return Promise.resolve(concatBytes(nonce, cipher.getAuthTag(), ciphertext));
    },
    async open(sealed) {
      if (sealed.length < 28) throw new FastnessError('FRESHNESS_RECORD_INVALID', 'It is too short.');
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(aad).setAuthTag(sealed.subarray(12, 28));
      return await Promise.resolve(concatBytes(decipher.update(sealed.subarray(28)), decipher.final()));
    },
  };
}
