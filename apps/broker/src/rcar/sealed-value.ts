import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { concatBytes, fromBase64Url, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore, WrappedKey } from '@fastness/keys';
import { unwrapUnder } from '../unwrap.ts';

/**
 * What a wrapped key belongs to: the path of a resource and who may have it. A database in which either was changed gives
 * nothing away.
 */
export interface SealContext {
  readonly path: string;
  /** JSON as it is stored. */
  readonly guests: string;
}

function contextBytes({ path, guests }: SealContext): Uint8Array {
  const digest = createHash('sha256').update(guests, 'utf8').digest('hex');
  return utf8Encode(`fastness/rcar-resource/v1\n${path}\n${digest}\n`);
}

/** Seals a value under a key of its own (AES-256-GCM), which the key store wraps. Throws `KEYS_` codes. */
export async function sealValue(
  keyStore: KeyStore,
  wrappingKey: string,
  value: Uint8Array,
  context: SealContext,
): Promise<{ wrappedKey: WrappedKey; sealed: string }> {
  const key = new Uint8Array(randomBytes(32));
  try {
    const bound = contextBytes(context);
    const wrappedKey = await keyStore.wrap(wrappingKey, key, bound);
    const iv = new Uint8Array(randomBytes(12));
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    cipher.setAAD(bound);
    const sealed = concatBytes(iv, cipher.update(value), cipher.final(), cipher.getAuthTag());
    return { wrappedKey, sealed: toBase64Url(sealed) };
  } finally {
    key.fill(0);
  }
}

/** Opens what {@link sealValue} sealed; the caller wipes it. Throws `RCAR_RESOURCE_UNUSABLE`, `BROKER_KEY_STORE`. */
export async function openValue(
  keyStore: KeyStore,
  value: { readonly wrappedKey: WrappedKey; readonly sealed: string },
  context: SealContext,
): Promise<Uint8Array> {
  const bound = contextBytes(context);
  const key = await unwrapUnder(keyStore, value.wrappedKey, bound, 'RCAR_RESOURCE_UNUSABLE');
  try {
    const bytes = fromBase64Url(value.sealed);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(bound);
    decipher.setAuthTag(bytes.subarray(-16));
    return concatBytes(decipher.update(bytes.subarray(12, -16)), decipher.final());
  } catch (cause) {
    throw new FastnessError('RCAR_RESOURCE_UNUSABLE', undefined, { cause });
  } finally {
    key.fill(0);
  }
}
