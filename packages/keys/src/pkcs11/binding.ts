import { createCipheriv, createDecipheriv, hash, hkdfSync } from 'node:crypto';
import { concatBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

const tagBytes = 16;
const label = utf8Encode('fastness/wrap/pkcs11/v1');

/**
 * What a wrapped key is bound to, as one digest: SHA-256 over the framed label, id, version and context. A digest
 * because tokens limit associated data, each in its own way. The digest is the associated data of AES-GCM, and the
 * `info` from which the content key of the RSA way is derived.
 */
export function bindingOf(id: string, version: number, context: Uint8Array): Uint8Array {
  const key = utf8Encode(id);
  const framed = concatBytes(
    u32be(label.length),
    label,
    u32be(key.length),
    key,
    u32be(version),
    u32be(context.length),
    context,
  );
  return hash('sha256', framed, 'buffer');
}

/*
 * The content of a key that travels under RSA: AES-256-GCM, key and nonce by HKDF-SHA256 (RFC 5869) from a fresh 32-byte secret with
 * the binding as info. Each wrapping has a secret of its own, so the nonce never meets its key twice.
 */

export function sealContent(secret: Uint8Array, binding: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const derived = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), binding, 44));
  try {
    const cipher = createCipheriv('aes-256-gcm', derived.subarray(0, 32), derived.subarray(32), {
      authTagLength: tagBytes,
    });
    cipher.setAAD(binding);
    const body = cipher.update(plaintext);
    cipher.final();
    return concatBytes(body, cipher.getAuthTag());
  } finally {
    derived.fill(0);
  }
}

/** Errors: KEYS_UNWRAP. */
export function openContent(secret: Uint8Array, binding: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length <= tagBytes) throw new FastnessError('KEYS_UNWRAP');
  const derived = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), binding, 44));
  try {
    const decipher = createDecipheriv('aes-256-gcm', derived.subarray(0, 32), derived.subarray(32), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(binding);
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
    const opened = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
    try {
      decipher.final();
      return new Uint8Array(opened);
    } catch {
      throw new FastnessError('KEYS_UNWRAP');
    } finally {
      opened.fill(0);
    }
  } finally {
    derived.fill(0);
  }
}
