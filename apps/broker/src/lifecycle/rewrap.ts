import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { rewrap, type WrappedKey } from '@fastness/keys';
import { parseManifest } from '@fastness/model';
import { parseRelease, releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import type { UsableRelease } from '../authorise-release.ts';
import { commitRecorded, type BrokerContext } from '../context.ts';
import { keptKeysOf, keptKeysSchema, storedKeyOf, wrapContextOf, wrappedOf, type KeyBinding } from '../model-keys.ts';
import { asStoreError, findRelease, type BrokerDatabase, type StoredRelease } from '../store/index.ts';
import { unwrapRoot } from '../unwrap.ts';
import { refuseUnusable } from './wrapping-keys.ts';

/** Body of `PUT /v1/admin/wrapped-keys`: keys.json of a registered release, or the wrapped share, after a rotation. */
export const rewrapSchema = z.strictObject({
  releaseDigest: z.string().regex(/^[0-9a-f]{64}$/),
  keys: keptKeysSchema,
});
export type RewrapRequest = z.infer<typeof rewrapSchema>;

/** Answer to `PUT /v1/admin/wrapped-keys`. */
export const rewrappedSchema = z.strictObject({
  releaseDigest: z.string(),
  wrappingKey: z.string(),
  wrappingKeyVersion: z.int().positive(),
});
export type Rewrapped = z.infer<typeof rewrappedSchema>;

/** The wrapped key of a release as it is registered now; rotations replace it. Throws `BROKER_RELEASE_UNKNOWN`. */
export async function registeredRoot(db: BrokerDatabase, releaseDigest: string): Promise<WrappedKey> {
  return storedKeyOf((await findRelease(db, releaseDigest)).keys);
}

/**
 * Unwraps the root key of a release, as it is registered now: a request that began before a rotation ends with what the
 * rotation left. The caller wipes it. Throws as `unwrapRoot` does.
 */
export async function unwrapRegistered(context: BrokerContext, release: UsableRelease): Promise<Uint8Array> {
  const root = await asStoreError(() => registeredRoot(context.db, release.digestHex));
  try {
    return await unwrapRoot(context, { verified: release.verified, root });
  } catch (error) {
    const now = await asStoreError(() => registeredRoot(context.db, release.digestHex));
    const rotated = now.keyVersion !== root.keyVersion || now.keyId !== root.keyId;
    if (!rotated) throw error;
    return await unwrapRoot(context, { verified: release.verified, root: now });
  }
}

/**
 * Takes over the wrapped key of a release that was wrapped anew elsewhere. It must hold the same key as before, so this
 * changes nothing that anybody approved. Throws `LIFECYCLE_ROOT_DIFFERS`, `LIFECYCLE_*` for a key out of use,
 * `BROKER_RELEASE_UNKNOWN`, `BROKER_SHARE_NOT_MINE`, `BROKER_WRAPPED_KEY_UNUSABLE`, `BROKER_KEY_STORE`, `KEY_SHARE_MISMATCH`.
 */
export async function acceptRewrapped(context: BrokerContext, request: RewrapRequest): Promise<Rewrapped> {
  const { db } = context;
  const stored = await asStoreError(() => findRelease(db, request.releaseDigest));
  const root = wrappedOf(request.keys);
  await asStoreError(() => refuseUnusable(db, root));
  const verified = bindingOf(stored);
  if (keptKeysOf(context.signer, verified, root).format !== request.keys.format) {
    throw new FastnessError('BROKER_SHARE_NOT_MINE', 'A share for a whole key, or a whole key for a share.');
  }
  const before = await unwrapRoot(context, { root: storedKeyOf(stored.keys), verified });
  try {
    const after = await unwrapRoot(context, { root, verified });
    const same = equalBytes(before, after);
    after.fill(0);
    if (!same) throw new FastnessError('LIFECYCLE_ROOT_DIFFERS');
  } finally {
    before.fill(0);
  }
  return await replaceKeys(context, stored, root);
}

/**
 * Wraps the root keys of all registered releases anew that an older version of `keyId` wraps. Returns how many.
 * Releases whose wrapped key nobody can use any more (superseded long ago, say) are left as they are.
 */
export async function rewrapReleases(context: BrokerContext, keyId: string, version: number): Promise<number> {
  const releases = await asStoreError(() => context.db.selectFrom('releases').selectAll().execute());
  let rewrapped = 0;
  for (const stored of releases) {
    const root = storedKeyOf(stored.keys);
    if (root.keyId !== keyId || root.keyVersion >= version) continue;
    let next: WrappedKey;
    try {
      next = await rewrap(context.keyStore, root, wrapContextOf(context.signer, bindingOf(stored)));
    } catch (error) {
      if (error instanceof FastnessError && ['KEYS_VERSION_UNKNOWN', 'KEYS_UNWRAP'].includes(error.code)) continue;
      throw error;
    }
    await replaceKeys(context, stored, next);
    rewrapped += 1;
  }
  return rewrapped;
}

async function replaceKeys(context: BrokerContext, stored: StoredRelease, root: WrappedKey): Promise<Rewrapped> {
  const keys = JSON.stringify(keptKeysOf(context.signer, bindingOf(stored), root));
  return await commitRecorded(context, async (trx) => {
    const now = await registeredRoot(trx, stored.release_digest);
    await refuseUnusable(trx, root);
    // Of two rotations at once the newer wrapping stays.
    if (now.keyId !== root.keyId || now.keyVersion <= root.keyVersion) {
      await trx.updateTable('releases').set({ keys }).where('release_digest', '=', stored.release_digest).execute();
    }
    const facts = {
      releaseDigest: stored.release_digest,
      wrappingKey: root.keyId,
      wrappingKeyVersion: root.keyVersion,
    };
    return { kind: 'rewrapped', facts, result: facts };
  });
}

function bindingOf(stored: StoredRelease): KeyBinding {
  const { manifest, release } = releasePackageSchema.parse(JSON.parse(stored.package));
  return { manifest: parseManifest(manifest), release: parseRelease(release) };
}
