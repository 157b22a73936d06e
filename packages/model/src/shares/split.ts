import { randomBytes } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { combine, split } from 'shamir-secret-sharing';
import { maxKeyShares, type KeyShareSet } from '../key-shares.ts';
import type { Manifest } from '../manifest.ts';
import type { SealIdentity } from '../seal/derive.ts';
import { checkShare, factsOf, rootDigestOf, shareDigestOf, shareSetOf } from './commit.ts';

/** A key in shares. Share number N is at N - 1; the caller wipes them. */
export interface SplitRoot {
  readonly set: KeyShareSet;
  readonly shares: readonly Uint8Array[];
}

/** Throws KEY_SHARES_THRESHOLD. */
export function checkSharing({ threshold, count }: { readonly threshold: number; readonly count: number }): void {
  const numbers = Number.isInteger(threshold) && Number.isInteger(count);
  if (!numbers || threshold < 2 || threshold > count || count > maxKeyShares) {
    throw new FastnessError('KEY_SHARES_THRESHOLD', `${threshold} of ${count}.`);
  }
}

/**
 * Splits a root key so that any `threshold` of `count` shares give it back and fewer say nothing about it (Shamir 1979,
 * over GF(2^8), each byte by itself). Throws KEY_SHARES_THRESHOLD.
 *
 * Scratch values of the library stay in memory until they are collected: what splits a key has all of it anyway.
 */
export async function splitRoot(
  root: Uint8Array,
  identity: SealIdentity,
  sharing: { readonly threshold: number; readonly count: number },
): Promise<SplitRoot> {
  checkSharing(sharing);
  const { threshold, count } = sharing;
  const shares = await split(root, count, threshold);
  const facts = { setId: randomBytes(16).toString('hex'), threshold, count };
  const listed = shares.map((share, at) => {
    const index = at + 1;
    return { index, digest: shareDigestOf(identity, facts, index, share) };
  });
  const { setId } = facts;
  return { set: { setId, threshold, rootDigest: rootDigestOf(identity, facts, root), shares: listed }, shares };
}

/**
 * Joins shares, by their numbers, to the root key. Every share is compared with the manifest first, so a wrong one is named
 * and cannot spoil the key; the key is compared as well. The caller wipes the result and the shares.
 *
 * Not constant-time: the library looks bytes up in tables, and so a host that watches caches may learn something of them.
 * Throws KEY_SHARES_TOO_FEW, KEY_SHARE_MISMATCH, KEY_SHARES_ROOT_MISMATCH.
 */
export async function joinShares(
  manifest: SealIdentity & Pick<Manifest, 'keyShares'>,
  shares: ReadonlyMap<number, Uint8Array>,
): Promise<Uint8Array> {
  const set = shareSetOf(manifest);
  for (const [index, share] of shares) checkShare(manifest, index, share);
  if (shares.size < set.threshold) {
    throw new FastnessError('KEY_SHARES_TOO_FEW', `${shares.size} of ${set.threshold}.`);
  }
  const root = await combine([...shares.values()].slice(0, set.threshold));
  if (rootDigestOf(manifest, factsOf(set), root) !== set.rootDigest) {
    root.fill(0);
    throw new FastnessError('KEY_SHARES_ROOT_MISMATCH');
  }
  return root;
}
