import { toHex } from '@fastness/codec/bytes';
import { wrappedKeyFromJson } from '@fastness/keys';
import { releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import { modelKeysSchema, refuseOvertaken, verifyReleasePackage, type UsableRelease } from './authorise-release.ts';
import type { RefusalTrail } from './authorise.ts';
import { commitRecorded, type BrokerContext } from './context.ts';
import { canonicalRevocation, raiseHighestVersion, runningLeases, saveRelease, saveRevocation } from './store/index.ts';
import { unwrapRoot } from './unwrap.ts';

/** Body of `PUT /v1/admin/releases`: the release package and keys.json of the sealed model. */
export const registrationSchema = z.strictObject({ package: releasePackageSchema, keys: modelKeysSchema });
export type Registration = z.infer<typeof registrationSchema>;

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
  const now = context.now();
  const verified = await verifyReleasePackage(context, registration.package, now);
  const digestHex = toHex(verified.releaseDigest);
  const { modelId, version } = verified.release;
  Object.assign(trail, { releaseDigest: digestHex, modelId, version } satisfies RefusalTrail);
  const release: UsableRelease = { verified, digestHex, root: wrappedKeyFromJson(registration.keys.root) };
  const root = await unwrapRoot(context, release);
  root.fill(0);
  return await commitRecorded(context, async (trx) => {
    await refuseOvertaken(trx, { digestHex, modelId, version }, { allowOlder: false });
    await saveRelease(trx, {
      release_digest: digestHex,
      model_id: modelId,
      version,
      package: JSON.stringify(registration.package),
      keys: JSON.stringify(registration.keys),
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
      },
      result: { releaseDigest: digestHex, modelId, version, approvedBy: verified.approvedBy },
    };
  });
}

/** Body of `POST /v1/admin/revocations`. */
export const revocationSchema = z.strictObject({
  kind: z.enum(['release', 'measurement', 'platform']),
  /** Release digest or measurement in hex; platform as `chip-id:HEX`, `ppid:HEX`, `instance-id:ID`, ..., or without the prefix. */
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

/** Revokes a release, a measurement or a platform, for good. */
export async function revoke(context: BrokerContext, request: RevocationRequest): Promise<RecordedRevocation> {
  const { kind, value } = canonicalRevocation(request.kind, request.value);
  return await commitRecorded(context, async (trx) => {
    const now = context.now();
    const running = await runningLeases(trx, { kind, value }, now);
    await saveRevocation(trx, { kind, value, reason: request.reason, revokedAt: now.toISOString() });
    return {
      kind: 'revocation',
      facts: { target: kind, value, reason: request.reason, runningLeases: running.count },
      result: {
        kind,
        value,
        runningLeases: running.count,
        ...(running.lastExpires === undefined ? {} : { effectiveBy: running.lastExpires }),
      },
    };
  });
}
