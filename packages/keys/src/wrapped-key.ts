import { FastnessError } from '@fastness/codec/errors';
import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { z } from 'zod';
import type { KeyStore } from './key-store.ts';

/** A key encrypted by a key store. Safe to publish: without the store and the context it is noise. */
export interface WrappedKey {
  /** The wrapping key's id in its store. */
  keyId: string;
  /** The wrapping key's version, 1 or more. */
  keyVersion: number;
  /** How it was wrapped; each kind of store has its own names. */
  algorithm: string;
  /** Opaque to everyone but the store that wrapped it. */
  ciphertext: Uint8Array;
}

/** Key ids: unambiguous in every file system, URL and log. */
export const keyIdPattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Upper bound of `ciphertext`, bytes: a 4096-byte key and what any store adds to it. */
export const maxWrappedBytes = 8192;

/** The JSON form of a `WrappedKey`; `ciphertext` is base64url without padding. */
export const wrappedKeySchema = z.strictObject({
  keyId: z.string().regex(keyIdPattern),
  keyVersion: z.int().min(1).max(0xffff_ffff),
  algorithm: z.string().min(1).max(64),
  ciphertext: z
    .string()
    .min(1)
    .max(Math.ceil((maxWrappedBytes * 4) / 3))
    .regex(/^[A-Za-z0-9_-]+$/),
});

export type WrappedKeyJson = z.infer<typeof wrappedKeySchema>;

export function wrappedKeyToJson(wrapped: WrappedKey): WrappedKeyJson {
  return {
    keyId: wrapped.keyId,
    keyVersion: wrapped.keyVersion,
    algorithm: wrapped.algorithm,
    ciphertext: toBase64Url(wrapped.ciphertext),
  };
}

/** Errors: KEYS_WRAPPED_MALFORMED. */
export function wrappedKeyFromJson(json: unknown): WrappedKey {
  const parsed = wrappedKeySchema.safeParse(json);
  if (!parsed.success) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
  try {
    return { ...parsed.data, ciphertext: fromBase64Url(parsed.data.ciphertext) };
  } catch (cause) {
    throw new FastnessError('KEYS_WRAPPED_MALFORMED', undefined, { cause });
  }
}

/** Wraps anew under the current version of the same key: how a rotation reaches what was wrapped before it. */
export async function rewrap(store: KeyStore, wrapped: WrappedKey, context: Uint8Array): Promise<WrappedKey> {
  const plaintext = await store.unwrap(wrapped, context);
  try {
    return await store.wrap(wrapped.keyId, plaintext, context);
  } finally {
    plaintext.fill(0);
  }
}
