import * as hpke from 'hpke';
import { hkdfOf, sha256 } from './web-crypto.ts';

/** A value, or the promise of one: WebCrypto gives promises, other runtimes have the result at once. */
export type Awaitable<T> = T | Promise<T>;

/** A KEM as HPKE takes it. */
export type HpkeKem = ReturnType<hpke.KEMFactory>;

/** AES-GCM under one key, with a tag of 16 bytes behind the ciphertext. */
export interface AesGcm {
  readonly seal: (nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => Awaitable<Uint8Array>;
  /** Throws, or rejects, when `ciphertext` does not authenticate. */
  readonly open: (nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) => Awaitable<Uint8Array>;
}

/** HKDF-SHA256 (RFC 5869) over one secret, which it keeps unreadable. Lengths in bytes. */
export interface Hkdf {
  readonly bytes: (salt: Uint8Array, info: Uint8Array, length: number) => Awaitable<Uint8Array>;
  readonly aesGcm: (
    salt: Uint8Array,
    info: Uint8Array,
    keyLength: number,
    usage: 'encrypt' | 'decrypt',
  ) => Awaitable<AesGcm>;
}

/**
 * What the channel computes with. WebCrypto is everywhere and does each call on another thread: in Node that costs 50 to
 * 200 µs a call, most of it in waking threads, and a request takes 60 calls. A runtime with cryptography of its own hands
 * it in; `@fastness/channel/node` has Node's. Both give the same bytes.
 */
export interface Primitives {
  readonly sha256: (bytes: Uint8Array) => Awaitable<Uint8Array>;
  /** Copies `secret`; the caller wipes it. */
  readonly hkdf: (secret: Uint8Array) => Awaitable<Hkdf>;
  /** X-Wing. Its keys are its own: those of another set of primitives are refused. */
  readonly hpkeXWing: () => HpkeKem;
  /** HKDF-SHA256 as HPKE takes it. */
  readonly hpkeKdf: hpke.KDFFactory;
  readonly hpkeAes128Gcm: hpke.AEADFactory;
  readonly hpkeAes256Gcm: hpke.AEADFactory;
}

/** The primitives of WebCrypto. */
export const webPrimitives: Primitives = Object.freeze({
  sha256,
  hkdf: hkdfOf,
  hpkeXWing: hpke.KEM_MLKEM768_X25519,
  hpkeKdf: hpke.KDF_HKDF_SHA256,
  hpkeAes128Gcm: hpke.AEAD_AES_128_GCM,
  hpkeAes256Gcm: hpke.AEAD_AES_256_GCM,
});
