import { hash, hkdfSync } from 'node:crypto';
import { derivedBytes, framedBinding, openWith, sealWith } from '../content-cipher.ts';

export const bindingBytes = 32;

/**
 * What a wrapped key is bound to, as one digest: SHA-256 over the framed label, id, version and context. A digest
 * because tokens limit associated data, each in its own way. The digest is the associated data of AES-GCM, and the
 * `info` from which the content key of the RSA way is derived.
 */
export function bindingOf(id: string, version: number, context: Uint8Array): Uint8Array {
  return hash('sha256', framedBinding('fastness/wrap/pkcs11/v1', id, version, context), 'buffer');
}

/*
 * The content of a key that travels under RSA: AES-256-GCM, key and nonce by HKDF-SHA256 (RFC 5869) from a fresh 32-byte secret with
 * the binding as info. Each wrapping has a secret of its own, so the nonce never meets its key twice.
 */

export function sealContent(secret: Uint8Array, binding: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return withDerived(secret, binding, (derived) => sealWith(derived, binding, plaintext));
}

/** Errors: KEYS_UNWRAP. */
export function openContent(secret: Uint8Array, binding: Uint8Array, sealed: Uint8Array): Uint8Array {
  return withDerived(secret, binding, (derived) => openWith(derived, binding, sealed));
}

function withDerived<T>(secret: Uint8Array, binding: Uint8Array, work: (derived: Uint8Array) => T): T {
  const derived = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), binding, derivedBytes));
  try {
    return work(derived);
  } finally {
    derived.fill(0);
  }
}
