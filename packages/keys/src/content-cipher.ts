import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes, u32be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { nameBytes } from './name-bytes.ts';

/** Bytes of an AES-256 key and the nonce of GCM, as HKDF gives them. */
export const derivedBytes = 44;
export const tagBytes = 16;

/** What a wrapped key is bound to, framed so that no two bindings give the same bytes. */
export function framedBinding(label: string, keyId: string, keyVersion: number, context: Uint8Array): Uint8Array {
  const [name, id] = [nameBytes(label), nameBytes(keyId)];
  const bytes = new Uint8Array(16 + name.length + id.length + context.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, name.length);
  bytes.set(name, 4);
  let offset = 4 + name.length;
  view.setUint32(offset, id.length);
  bytes.set(id, offset + 4);
  offset += 4 + id.length;
  bytes.set(u32be(keyVersion), offset);
  view.setUint32(offset + 4, context.length);
  bytes.set(context, offset + 8);
  return bytes;
}

/** AES-256-GCM: ciphertext, then the tag. `derived`: key and nonce, of this one content; the caller wipes them. */
export function sealWith(derived: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', derived.subarray(0, 32), derived.subarray(32), {
    authTagLength: tagBytes,
  });
  cipher.setAAD(aad);
  const body = cipher.update(plaintext);
  cipher.final();
  return concatBytes(body, cipher.getAuthTag());
}

/** Opens what {@link sealWith} sealed; the caller wipes it. Errors: KEYS_UNWRAP. */
export function openWith(derived: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (sealed.length <= tagBytes) throw new FastnessError('KEYS_UNWRAP');
  const split = sealed.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', derived.subarray(0, 32), derived.subarray(32), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(split));
  const opened = decipher.update(sealed.subarray(0, split));
  try {
    decipher.final();
    return new Uint8Array(opened);
  } catch {
    throw new FastnessError('KEYS_UNWRAP');
  } finally {
    opened.fill(0);
  }
}
