import { createHash } from 'node:crypto';
import { u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyShareSet } from '../key-shares.ts';
import type { Manifest } from '../manifest.ts';
import { framed, type SealIdentity } from '../seal/derive.ts';

/** A split, without what is derived from its secrets. */
export type ShareSetFacts = Pick<KeyShareSet, 'setId' | 'threshold'> & { readonly count: number };

function framedSet(
  label: string,
  { modelId, sealId }: SealIdentity,
  { setId, threshold, count }: ShareSetFacts,
  ...fields: readonly Uint8Array[]
): Uint8Array {
  const numbers = [u32be(threshold), u32be(count)];
  return framed(label, utf8Encode(modelId), utf8Encode(sealId), utf8Encode(setId), ...numbers, ...fields);
}

/** SHA-256, hex. What is hashed holds a secret, so it is wiped. */
function wipingDigest(bytes: Uint8Array): string {
  const digest = createHash('sha256').update(bytes).digest('hex');
  bytes.fill(0);
  return digest;
}

/**
 * What the manifest says of one share: SHA-256, in hex, over model, sealing, set, threshold, count, number and the share
 * itself, length-framed. A share is as random as a key, so its digest gives nothing away.
 */
export function shareDigestOf(identity: SealIdentity, facts: ShareSetFacts, index: number, share: Uint8Array): string {
  return wipingDigest(framedSet('fastness/key-share-digest/v1', identity, facts, u32be(index), share));
}

/** What the manifest says of the key that the shares join to, in the same way. */
export function rootDigestOf(identity: SealIdentity, facts: ShareSetFacts, root: Uint8Array): string {
  return wipingDigest(framedSet('fastness/shared-root-digest/v1', identity, facts, root));
}

/** The split of a manifest. Throws KEY_SHARES_TOO_FEW for a manifest without one. */
export function shareSetOf({ keyShares }: Pick<Manifest, 'keyShares'>): KeyShareSet {
  if (keyShares === undefined) throw new FastnessError('KEY_SHARES_TOO_FEW', 'The key of this model is not shared.');
  return keyShares;
}

export function factsOf({ setId, threshold, shares }: KeyShareSet): ShareSetFacts {
  return { setId, threshold, count: shares.length };
}

/**
 * The context under which one share is sealed to its broker and wrapped there: a share of another model, sealing, set,
 * threshold or number does not open as this one. Throws KEY_SHARE_MISMATCH for a number that the set has not.
 */
export function shareContext(manifest: SealIdentity & Pick<Manifest, 'keyShares'>, index: number): Uint8Array {
  const set = shareSetOf(manifest);
  return framedSet('fastness/key-share/v1', manifest, factsOf(set), u32be(index), utf8Encode(listed(set, index)));
}

/** Throws KEY_SHARE_MISMATCH naming the number of a share that is not the one the manifest lists. */
export function checkShare(
  manifest: SealIdentity & Pick<Manifest, 'keyShares'>,
  index: number,
  share: Uint8Array,
): void {
  const set = shareSetOf(manifest);
  const expected = listed(set, index);
  if (shareDigestOf(manifest, factsOf(set), index, share) !== expected) {
    throw new FastnessError('KEY_SHARE_MISMATCH', `Share ${index}.`);
  }
}

function listed({ shares }: KeyShareSet, index: number): string {
  const found = shares.find((share) => share.index === index);
  if (found === undefined) throw new FastnessError('KEY_SHARE_MISMATCH', `There is no share ${index}.`);
  return found.digest;
}
