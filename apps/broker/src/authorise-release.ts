import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { WrappedKey } from '@fastness/keys';
import {
  releasePackageSchema,
  verifyRelease,
  type ReleasePackage,
  type VerifiedRelease,
} from '@fastness/model/release';
import type { BrokerContext } from './context.ts';
import { ownerKeysInForce } from './lifecycle/owners.ts';
import { portionOf, storedKeyOf } from './model-keys.ts';
import type { ModelRule } from './policy.ts';
import { asStoreError, findRelease, highestVersion, refuseRevoked, type BrokerDatabase } from './store/index.ts';

/** A release that may be used now, with its wrapped key. */
export interface UsableRelease {
  readonly verified: VerifiedRelease;
  readonly digestHex: string;
  /** The root key, or this broker's share of it. */
  readonly root: WrappedKey;
}

/**
 * Verifies a release against owners, approvers, time and policy: signature, approvals, validity, that it names this broker
 * and that the policy takes its model. Says nothing about revocation and rollback; see `refuseOvertaken`.
 */
export async function verifyReleasePackage(
  context: Pick<BrokerContext, 'policy' | 'signer' | 'transparency'>,
  releasePackage: ReleasePackage,
  now: Date,
): Promise<VerifiedRelease> {
  const { policy, signer, transparency } = context;
  const verified = await verifyRelease({
    package: releasePackage,
    ownerKeys: await ownerKeysInForce(policy, now),
    quorum: policy.quorum,
    now,
  });
  const { modelId, version } = verified.release;
  const { logKeys } = portionOf(signer, verified);
  // Of a fleet each broker has a log of its own, and the release names them all.
  if (logKeys !== undefined && !logKeys.includes(transparency?.key.text ?? ''))
    throw new FastnessError('BROKER_RELEASE_OTHER_LOG');
  const { models } = policy.policy;
  if (models !== undefined) {
    const rule = Object.hasOwn(models, modelId) ? models[modelId] : undefined;
    if (rule === undefined || version < (rule.minimumVersion ?? 1)) {
      throw new FastnessError('BROKER_MODEL_NOT_ALLOWED', `${modelId}, version ${version}.`);
    }
    checkModelRule(rule, verified, logKeys);
  }
  return verified;
}

/**
 * What the policy asks of releases of this one model. Throws `RELEASE_SIGNER_NOT_ALLOWED`,
 * `RELEASE_APPROVALS_BELOW_POLICY`, `RELEASE_VALIDITY_TOO_LONG`, `RELEASE_LOG_REQUIRED`.
 */
function checkModelRule(
  rule: ModelRule,
  { release, ownerKeyId, approvedBy }: VerifiedRelease,
  logKeys: readonly string[] | undefined,
): void {
  const { signers, approvals, maximumValiditySeconds, transparency } = rule;
  if (transparency !== undefined && logKeys === undefined) throw new FastnessError('RELEASE_LOG_REQUIRED');
  if (signers !== undefined && !signers.includes(ownerKeyId)) {
    throw new FastnessError('RELEASE_SIGNER_NOT_ALLOWED', `Key ${ownerKeyId}.`);
  }
  if (approvals !== undefined) {
    const counted = approvedBy.filter((id) => approvals.approvers.includes(id)).length;
    if (counted < approvals.threshold) {
      throw new FastnessError('RELEASE_APPROVALS_BELOW_POLICY', `${counted} of ${approvals.threshold}.`);
    }
  }
  const seconds = (Date.parse(release.expires) - Date.parse(release.notBefore)) / 1000;
  if (maximumValiditySeconds !== undefined && seconds > maximumValiditySeconds) {
    throw new FastnessError('RELEASE_VALIDITY_TOO_LONG', `${seconds} seconds.`);
  }
}

/**
 * Refuses what time has overtaken: a revoked release (`BROKER_RELEASE_REVOKED`) and one that a newer version of its model
 * supersedes (`BROKER_VERSION_ROLLBACK`).
 */
export async function refuseOvertaken(
  db: BrokerDatabase,
  release: { digestHex: string; modelId: string; version: number },
  options: { allowOlder: boolean },
): Promise<void> {
  await refuseRevoked(db, [{ kind: 'release', value: release.digestHex }]);
  const highest = await highestVersion(db, release.modelId);
  if (release.version < highest && !options.allowOlder) {
    throw new FastnessError('BROKER_VERSION_ROLLBACK', `Version ${release.version}, after version ${highest}.`);
  }
}

/**
 * Fetches a registered release and verifies it from scratch: what lies in the database is trusted no further than the
 * signatures on it. Throws `BROKER_RELEASE_UNKNOWN`, `BROKER_RELEASE_REVOKED` and whatever the verification throws; says
 * nothing about rollback, see `refuseOvertaken`.
 */
export async function verifyStoredRelease(
  context: BrokerContext,
  digestHex: string,
  now: Date,
): Promise<UsableRelease> {
  const { db } = context;
  const stored = await asStoreError(() => findRelease(db, digestHex));
  // Revocation before the signature: a revoked release stays revoked when it has expired as well.
  await asStoreError(() => refuseRevoked(db, [{ kind: 'release', value: digestHex }]));
  const releasePackage = releasePackageSchema.parse(JSON.parse(stored.package));
  const verified = await verifyReleasePackage(context, releasePackage, now);
  if (toHex(verified.releaseDigest) !== digestHex) {
    throw new FastnessError('BROKER_STORE_DAMAGED', 'A release has another digest.');
  }
  return { verified, digestHex, root: storedKeyOf(stored.keys) };
}
