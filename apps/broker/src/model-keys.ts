import { equalBytes, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyFromJson, wrappedKeySchema, wrappedKeyToJson, type WrappedKey } from '@fastness/keys';
import { rootKeyContext, sealedShareSchema, shareContext, type ModelKeys } from '@fastness/model';
import { brokersOf, maxKeyShares, type ReleaseBroker, type VerifiedRelease } from '@fastness/model/release';
import { z } from 'zod';
import type { BrokerSigner } from './context.ts';

/** keys.json of a sealed model: its root key, wrapped. */
export const modelKeysSchema = z.strictObject({ format: z.literal('fastness/keys/v1'), root: wrappedKeySchema });

const setId = z.string().regex(/^[0-9a-f]{32}$/);
const index = z.int().min(1).max(maxKeyShares);

/** A broker's share of a root key, wrapped by its own key store. */
export const wrappedShareSchema = z.strictObject({
  format: z.literal('fastness/key-share/v1'),
  setId,
  index,
  share: wrappedKeySchema,
});

/** A broker's share of a root key as keys.json has it: sealed to the intake key of its card. */
export const deliveredShareSchema = z.strictObject({
  format: z.literal('fastness/key-share-delivery/v1'),
  setId,
  index,
  sealed: sealedShareSchema,
});

/** What a broker keeps of a release's key. */
export const keptKeysSchema = z.discriminatedUnion('format', [modelKeysSchema, wrappedShareSchema]);
export type KeptKeys = z.infer<typeof keptKeysSchema>;

/** What a broker is given of a release's key. */
export const givenKeysSchema = z.discriminatedUnion('format', [
  modelKeysSchema,
  wrappedShareSchema,
  deliveredShareSchema,
]);
export type GivenKeys = z.infer<typeof givenKeysSchema>;

/**
 * What of keys.json a broker is to be given: the wrapped key, or the share that is sealed to it, and no other share.
 * Throws `BROKER_SHARE_NOT_MINE`.
 */
export function keysFor(keys: ModelKeys, brokerKey: Uint8Array): GivenKeys {
  if (keys.kind === 'root') return { format: 'fastness/keys/v1', root: wrappedKeyToJson(keys.root) };
  const key = toBase64Url(brokerKey);
  const mine = keys.shares.find(({ recipient }) => recipient.brokerKey === key);
  if (mine === undefined) throw new FastnessError('BROKER_SHARE_NOT_MINE', 'No share in keys.json is for this broker.');
  return { format: 'fastness/key-share-delivery/v1', setId: keys.setId, index: mine.index, sealed: mine.sealed };
}

/** The wrapped key of what is kept: a root key, or a share of one. */
export function wrappedOf(keys: KeptKeys): WrappedKey {
  return wrappedKeyFromJson(keys.format === 'fastness/keys/v1' ? keys.root : keys.share);
}

/** The wrapped key out of the text in the database. */
export function storedKeyOf(text: string): WrappedKey {
  return wrappedOf(keptKeysSchema.parse(JSON.parse(text)));
}

/** What of a release's key a broker has: all of it, or a share. Throws `BROKER_RELEASE_OTHER_BROKER`. */
export function portionOf(
  { publicKey }: Pick<BrokerSigner, 'publicKey'>,
  { release }: Pick<VerifiedRelease, 'release'>,
): ReleaseBroker {
  const mine = brokersOf(release).find(({ brokerKey }) => equalBytes(brokerKey, publicKey));
  if (mine === undefined) throw new FastnessError('BROKER_RELEASE_OTHER_BROKER');
  return mine;
}

/** A release, as far as its wrapped key is bound to it. */
export type KeyBinding = Pick<VerifiedRelease, 'manifest' | 'release'>;

/** The context that the portion of this broker is wrapped under. */
export function wrapContextOf(signer: Pick<BrokerSigner, 'publicKey'>, binding: KeyBinding): Uint8Array {
  const { share } = portionOf(signer, binding);
  return share === undefined ? rootKeyContext(binding.manifest) : shareContext(binding.manifest, share);
}

/** The form in which a broker keeps its portion. */
export function keptKeysOf(
  signer: Pick<BrokerSigner, 'publicKey'>,
  binding: KeyBinding,
  wrapped: WrappedKey,
): KeptKeys {
  const { share } = portionOf(signer, binding);
  const json = wrappedKeyToJson(wrapped);
  if (share === undefined) return { format: 'fastness/keys/v1', root: json };
  const set = binding.manifest.keyShares?.setId ?? '';
  return { format: 'fastness/key-share/v1', setId: set, index: share, share: json };
}

/** What entries of the audit log say of a share; nothing where the broker has the whole key. */
export function shareFactsOf(
  signer: Pick<BrokerSigner, 'publicKey'>,
  { release }: Pick<VerifiedRelease, 'release'>,
): { keyShare?: { setId: string; index: number; threshold: number } } {
  const { share } = portionOf(signer, { release });
  if (share === undefined || release.keyShares === undefined) return {};
  return { keyShare: { setId: release.keyShares.setId, index: share, threshold: release.keyShares.threshold } };
}
