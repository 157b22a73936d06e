import { plainBytes } from '@fastness/codec/bytes';
import type { AesGcm, Hkdf } from './primitives.ts';

export async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes)));
}

export function randomBytes(length: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(length));
}

/** WebCrypto's HKDF extracts and expands in one call, so that no key between secret and result is ever readable. */
export async function hkdfOf(secret: Uint8Array): Promise<Hkdf> {
  const { subtle } = globalThis.crypto;
  const usages: KeyUsage[] = ['deriveBits', 'deriveKey'];
  const base = await subtle.importKey('raw', plainBytes(secret), 'HKDF', false, usages);
  const from = (salt: Uint8Array, info: Uint8Array) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: plainBytes(salt),
    info: plainBytes(info),
  });
  return {
    bytes: async (salt, info, length) => new Uint8Array(await subtle.deriveBits(from(salt, info), base, length * 8)),
    aesGcm: async (salt, info, keyLength, usage) => {
      const algorithm = { name: 'AES-GCM', length: keyLength * 8 };
      return aesGcmOf(await subtle.deriveKey(from(salt, info), base, algorithm, false, [usage]));
    },
  };
}

function aesGcmOf(key: CryptoKey): AesGcm {
  const { subtle } = globalThis.crypto;
  const parameters = (nonce: Uint8Array, aad: Uint8Array) => ({
    name: 'AES-GCM',
    iv: plainBytes(nonce),
    additionalData: plainBytes(aad),
  });
  return {
    seal: async (nonce, aad, plaintext) =>
      new Uint8Array(await subtle.encrypt(parameters(nonce, aad), key, plainBytes(plaintext))),
    open: async (nonce, aad, ciphertext) =>
      new Uint8Array(await subtle.decrypt(parameters(nonce, aad), key, plainBytes(ciphertext))),
  };
}
