import { createHash } from 'node:crypto';
import { toHex } from '@fastness/codec/bytes';
import { parseApproval } from '@fastness/model/release';
import { z } from 'zod';
import { refuseOvertaken, verifyReleasePackage, type UsableRelease } from './authorise-release.ts';
import type { RefusalTrail } from './authorise.ts';
import { commitRecorded, type BrokerContext, type Recorded } from './context.ts';
import { hitLeases } from './lifecycle/hit-leases.ts';
import { refuseRevokedKeys } from './lifecycle/key-revocation.ts';
import { refuseUnusable } from './lifecycle/wrapping-keys.ts';
import { keptKeysOf, shareFactsOf } from './model-keys.ts';
import type { Registration } from './registration.ts';
import { acceptKeys } from './share-intake.ts';
import {
  asStoreError,
  canonicalRevocation,
  raiseHighestVersion,
  revocationKinds,
  saveRelease,
  saveRevocation,
  type BrokerDatabase,
} from './store/index.ts';
import { unwrapRoot } from './unwrap.ts';

/** Answer to `PUT /v1/admin/releases`. `releaseDigest` is hex. */
export const registeredReleaseSchema = z.strictObject({
  releaseDigest: z.string(),
  modelId: z.string(),
  version: z.int().positive(),
  approvedBy: z.array(z.string()),
});
export type RegisteredRelease = z.infer<typeof registeredReleaseSchema>;

/**
 * Registers a release: verified as it will be at every key release, and its wrapped key tried, so that a mistake shows now
 * and not when an enclave starts. Unless the policy says otherwise, it supersedes the older versions from here on.
 */
export async function registerRelease(
  context: BrokerContext,
  registration: Registration,
  trail: RefusalTrail,
): Promise<RegisteredRelease> {
  return await commitRecorded(context, await prepareRegistration(context, registration, trail));
}

/** Everything of `registerRelease` but the change itself, which is returned to be made in a transaction. */
export async function prepareRegistration(
  context: BrokerContext,
  registration: Registration,
  trail: RefusalTrail,
  proposal?: string,
): Promise<(trx: BrokerDatabase) => Promise<Recorded<'release-registered', RegisteredRelease>>> {
  const now = context.now();
  const verified = await verifyReleasePackage(context, registration.package, now);
  const digestHex = toHex(verified.releaseDigest);
  const { modelId, version } = verified.release;
  Object.assign(trail, { releaseDigest: digestHex, modelId, version } satisfies RefusalTrail);
  const release: UsableRelease = { verified, digestHex, root: await acceptKeys(context, verified, registration.keys) };
  await asStoreError(() => refuseUnusable(context.db, release.root));
  const root = await unwrapRoot(context, release);
  root.fill(0);
  for (const text of registration.package.approvals) {
    const { approver } = parseApproval(text).approval;
    const approvalDigest = createHash('sha256').update(text).digest('hex');
    await context.audit.append('approval-seen', {
      releaseDigest: digestHex,
      modelId,
      version,
      approver,
      approvalDigest,
    });
  }
  return async (trx) => {
    await refuseOvertaken(trx, { digestHex, modelId, version }, { allowOlder: false });
    await refuseUnusable(trx, release.root);
    await refuseRevokedKeys(trx, release, context.policy.quorum.threshold);
    await saveRelease(trx, {
      release_digest: digestHex,
      model_id: modelId,
      version,
      package: JSON.stringify(registration.package),
      keys: JSON.stringify(keptKeysOf(context.signer, verified, release.root)),
      registered_at: now.toISOString(),
    });
    if (context.policy.supersedeOnRegistration) await raiseHighestVersion(trx, modelId, version);
    return {
      kind: 'release-registered',
      facts: {
        releaseDigest: digestHex,
        modelId,
        version,
        ownerKey: verified.ownerKeyId,
        approvedBy: verified.approvedBy,
        wrappingKey: release.root.keyId,
        wrappingKeyVersion: release.root.keyVersion,
        ...shareFactsOf(context.signer, verified),
        ...(proposal === undefined ? {} : { proposal }),
      },
      result: { releaseDigest: digestHex, modelId, version, approvedBy: verified.approvedBy },
    };
  };
}

/** Body of `POST /v1/admin/revocations`. */
export const revocationSchema = z.strictObject({
  kind: z.enum(revocationKinds),
  /**
   * Release digest or measurement in hex; platform as `chip-id:HEX`, `ppid:HEX`, `instance-id:ID`, ..., or without the
   * prefix; a TCB floor (`sev-snp:genoa:microcode=72`, `tdx:date=2025-05-14`); a key (`wrap:ID`, `owner:SHA256`, ...).
   */
  value: z.string().min(1).max(160),
  /** One line, for the audit log. */
  reason: z.string().regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,500}$/u),
});
export type RevocationRequest = z.infer<typeof revocationSchema>;

/** Answer to `POST /v1/admin/revocations`. */
export const recordedRevocationSchema = z.strictObject({
  kind: revocationSchema.shape.kind,
  /** As it is compared from now on. */
  value: z.string(),
  /** Leases that run on until they end; they are not renewed. */
  runningLeases: z.int().nonnegative(),
  /** When the last of them will have ended; absent when there is none. */
  effectiveBy: z.iso.datetime().exactOptional(),
});
export type RecordedRevocation = z.infer<typeof recordedRevocationSchema>;

/** Revokes something, for good. */
export async function revoke(context: BrokerContext, request: RevocationRequest): Promise<RecordedRevocation> {
  const { kind, value } = canonicalRevocation(request.kind, request.value);
  return await commitRecorded(context, async (trx) => {
    const now = context.now();
    const hit = await hitLeases(context, trx, { kind, value });
    const last = hit
      .map(({ expires_at }) => expires_at)
      .sort()
      .at(-1);
    await saveRevocation(trx, { kind, value, reason: request.reason, revokedAt: now.toISOString() });
    return {
      kind: 'revocation',
      facts: { target: kind, value, reason: request.reason, runningLeases: hit.length },
      result: {
        kind,
        value,
        runningLeases: hit.length,
        ...(last === undefined ? {} : { effectiveBy: last }),
      },
    };
  });
}

/** Answer to `POST /v1/admin/revocations/preview`: whom a revocation would hit. Nothing is changed. */
export const revocationPreviewSchema = z.strictObject({
  kind: revocationSchema.shape.kind,
  value: z.string(),
  leases: z.array(
    z.strictObject({
      leaseId: z.string(),
      releaseDigest: z.string(),
      tee: z.string(),
      simulated: z.boolean(),
      measurement: z.string(),
      platform: z.string(),
      expiresAt: z.iso.datetime(),
    }),
  ),
});
export type RevocationPreview = z.infer<typeof revocationPreviewSchema>;

export async function previewRevocation(
  context: BrokerContext,
  request: Pick<RevocationRequest, 'kind' | 'value'>,
): Promise<RevocationPreview> {
  const { kind, value } = canonicalRevocation(request.kind, request.value);
  const hit = await asStoreError(() => hitLeases(context, context.db, { kind, value }));
  return {
    kind,
    value,
    leases: hit.map((lease) => ({
      leaseId: lease.lease_id,
      releaseDigest: lease.release_digest,
      tee: lease.tee,
      simulated: lease.simulated === 1,
      measurement: lease.measurement,
      platform: lease.platform,
      expiresAt: lease.expires_at,
    })),
  };
}
