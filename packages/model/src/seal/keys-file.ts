import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyFromJson, wrappedKeySchema, wrappedKeyToJson, type WrappedKey } from '@fastness/keys';
import { z } from 'zod';
import { shareIndexSchema, shareSetIdSchema } from '../key-shares.ts';
import { parseJsonText } from '../release/json.ts';

const maxKeysLength = 64 * 1024;

/**
 * keys.json: the wrapped root key. A rotation rewrites it, so no signature covers it; a wrong one does not unwrap under
 * the sealing's context, and a wrong root key does not open a file, since FLOE commits to the key.
 */
export const keysFileSchema = z.strictObject({
  format: z.literal('fastness/keys/v1'),
  root: wrappedKeySchema,
});

/** One HPKE message, base64url: encapsulated secret and ciphertext. */
export const sealedShareSchema = z.strictObject({
  enc: z.string().regex(/^[A-Za-z0-9_-]{2,4096}$/),
  ciphertext: z.string().regex(/^[A-Za-z0-9_-]{2,4096}$/),
});
export type SealedShare = z.infer<typeof sealedShareSchema>;

/** The broker that a share was sealed to: the public keys of its card. */
const shareRecipientSchema = z.strictObject({
  /** Signs its leases: Ed25519, SubjectPublicKeyInfo DER in base64url. */
  brokerKey: z.string().regex(/^[A-Za-z0-9_-]{40,256}$/),
  /** Of its transparency log; see `logKey` of a release. */
  logKey: z.string().max(512),
});
export type ShareRecipient = z.infer<typeof shareRecipientSchema>;

/**
 * keys.json of a model whose key is shared: each share, sealed to its broker. No signature covers it either; a share opens
 * under the context of its own number, set and threshold only, and the manifest has its digest.
 */
export const keySharesFileSchema = z.strictObject({
  format: z.literal('fastness/key-shares/v1'),
  setId: shareSetIdSchema,
  shares: z
    .array(z.strictObject({ index: shareIndexSchema, recipient: shareRecipientSchema, sealed: sealedShareSchema }))
    .min(2)
    .max(16),
});
export type KeySharesFile = z.infer<typeof keySharesFileSchema>;

/** What keys.json holds. */
export type ModelKeys =
  { readonly kind: 'root'; readonly root: WrappedKey } | ({ readonly kind: 'shares' } & Omit<KeySharesFile, 'format'>);

/** Errors: MODEL_KEYS_MALFORMED. */
export function parseKeysFile(text: string): ModelKeys {
  const keys = parseJsonText(text, {
    schema: z.discriminatedUnion('format', [keysFileSchema, keySharesFileSchema]),
    maxLength: maxKeysLength,
    code: 'MODEL_KEYS_MALFORMED',
    what: 'keys.json',
  });
  if (keys.format === 'fastness/key-shares/v1') return { kind: 'shares', setId: keys.setId, shares: keys.shares };
  try {
    return { kind: 'root', root: wrappedKeyFromJson(keys.root) };
  } catch (cause) {
    throw new FastnessError('MODEL_KEYS_MALFORMED', undefined, { cause });
  }
}

export function encodeKeysFile(keys: ModelKeys): string {
  const value =
    keys.kind === 'root'
      ? { format: 'fastness/keys/v1', root: wrappedKeyToJson(keys.root) }
      : { format: 'fastness/key-shares/v1', setId: keys.setId, shares: keys.shares };
  return `${JSON.stringify(value, null, 2)}\n`;
}
