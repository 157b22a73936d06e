import { generateIntakeKey, openDeliveredShare, sealedKeyFromJson } from '@fastness/channel';
import { concatBytes, fromBase64Url, toBase64Url, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyFromJson, wrappedKeySchema, wrappedKeyToJson, type KeyStore, type WrappedKey } from '@fastness/keys';
import { checkShare, type SealedShare } from '@fastness/model';
import { z } from 'zod';
import type { BrokerContext } from './context.ts';
import { refuseUnusable } from './lifecycle/wrapping-keys.ts';
import { portionOf, wrapContextOf, wrappedOf, type GivenKeys, type KeyBinding } from './model-keys.ts';
import { asStoreError } from './store/index.ts';
import { unwrapUnder } from './unwrap.ts';

/** The key that shares are delivered to: the private half wrapped by the key store, under a key for wrapping. No secret. */
export const shareIntakeSchema = z.strictObject({
  format: z.literal('fastness/share-intake/v1'),
  /** X-Wing, base64url. */
  publicKey: z.string().regex(/^[A-Za-z0-9_-]{1622}$/),
  privateKey: wrappedKeySchema,
});
export type ShareIntake = z.infer<typeof shareIntakeSchema>;

function intakeContext(publicKey: string): Uint8Array {
  const fields = [utf8Encode('fastness/share-intake/v1'), fromBase64Url(publicKey)];
  return concatBytes(...fields.flatMap((field) => [u32be(field.length), field]));
}

/**
 * Makes an intake key. `keyId` wraps it, and will wrap the shares that come to it.
 * Throws as the key store does.
 */
export async function createShareIntake(options: {
  readonly keyStore: KeyStore;
  readonly keyId: string;
}): Promise<ShareIntake> {
  const { publicKey, privateKey } = await generateIntakeKey();
  try {
    const text = toBase64Url(publicKey);
    const wrapped = await options.keyStore.wrap(options.keyId, privateKey, intakeContext(text));
    return { format: 'fastness/share-intake/v1', publicKey: text, privateKey: wrappedKeyToJson(wrapped) };
  } finally {
    privateKey.fill(0);
  }
}

/**
 * What a broker will keep of the keys that it is given: a wrapped key as it is, and a delivered share after it was opened,
 * compared with the manifest and wrapped by the broker's own store. Nobody but this broker can do the second.
 * Throws `BROKER_SHARE_NOT_MINE`, `BROKER_SHARE_INTAKE`, `BROKER_SHARE_UNREADABLE`, `KEY_SHARE_MISMATCH`, `LIFECYCLE_*` for an
 * intake key whose wrapping key is out of use, `BROKER_KEY_STORE`.
 */
export async function acceptKeys(
  context: Pick<BrokerContext, 'db' | 'keyStore' | 'signer' | 'shareIntake'>,
  binding: KeyBinding,
  keys: GivenKeys,
): Promise<WrappedKey> {
  const { share } = portionOf(context.signer, binding);
  if (keys.format === 'fastness/keys/v1') {
    if (share !== undefined)
      throw new FastnessError('BROKER_SHARE_NOT_MINE', `Expected share ${share}, not a whole key.`);
    return wrappedOf(keys);
  }
  if (keys.index !== share || keys.setId !== binding.manifest.keyShares?.setId) {
    const expected = share === undefined ? 'a whole key' : `share ${share}`;
    throw new FastnessError(
      'BROKER_SHARE_NOT_MINE',
      `Expected ${expected}, not share ${keys.index} of set ${keys.setId}.`,
    );
  }
  if (keys.format === 'fastness/key-share/v1') return wrappedOf(keys);
  return await takeDelivery(context, binding, { index: share, sealed: keys.sealed });
}

async function takeDelivery(
  { db, keyStore, signer, shareIntake }: Parameters<typeof acceptKeys>[0],
  binding: KeyBinding,
  delivery: { readonly index: number; readonly sealed: SealedShare },
): Promise<WrappedKey> {
  if (shareIntake === undefined) throw new FastnessError('BROKER_SHARE_INTAKE');
  const wrapped = wrappedKeyFromJson(shareIntake.privateKey);
  await asStoreError(() => refuseUnusable(db, wrapped));
  const under = intakeContext(shareIntake.publicKey);
  const privateKey = await unwrapUnder(keyStore, wrapped, under, 'BROKER_WRAPPED_KEY_UNUSABLE');
  const context = wrapContextOf(signer, binding);
  let share: Uint8Array | undefined;
  try {
    share = await open(privateKey, context, delivery.sealed);
    checkShare(binding.manifest, delivery.index, share);
    return await keyStore.wrap(wrapped.keyId, share, context);
  } catch (error) {
    if (error instanceof FastnessError && !error.code.startsWith('KEYS_')) throw error;
    throw new FastnessError('BROKER_KEY_STORE', undefined, { cause: error });
  } finally {
    privateKey.fill(0);
    share?.fill(0);
  }
}

async function open(privateKey: Uint8Array, context: Uint8Array, sealed: SealedShare): Promise<Uint8Array> {
  try {
    return await openDeliveredShare({ privateKey, context, ...sealedKeyFromJson(sealed) });
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'CHANNEL_SUITE_UNSUPPORTED') throw cause;
    throw new FastnessError('BROKER_SHARE_UNREADABLE', undefined, { cause });
  }
}
