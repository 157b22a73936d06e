import { isErrorCode, type ErrorCode } from '@fastness/codec/errors';
import { z } from 'zod';
import { lifecycleFacts, quorumFacts } from '../lifecycle/facts.ts';
import { isPlatformName } from '../platform.ts';
import { rcarFacts } from '../rcar/facts.ts';
import { administratorFacts } from './administrator.ts';

/**
 * What an audit entry may hold. Every kind of entry has one closed schema of small, typed facts: digests,
 * identifiers, counts, codes and times. There is no free-form field, no byte field and no place for a request body,
 * so a nonce, a token or a key cannot enter by being passed along with something else. The one sentence a person
 * writes (the reason of a revocation) comes from an authenticated administrator.
 */
const hex = (characters: number): z.ZodString => z.string().regex(new RegExp(`^[0-9a-f]{${characters}}$`));
const digest = hex(64);
/** 32, 48 or 64 bytes, by the TEE. */
const measurement = z.string().regex(/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/);
const leaseId = hex(32);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/);
const platform = z.string().max(160).refine(isPlatformName);
const count = z.number().int().nonnegative();
const isoTime = z.iso.datetime({ precision: 3 });
const sentence = z.string().regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,500}$/u);
const by = administratorFacts.optional();
/** Which share of which set a broker has, where it has not the whole key. */
const keyShare = z
  .strictObject({ setId: hex(32), index: z.int().min(1).max(16), threshold: z.int().min(2).max(16) })
  .optional();
const errorCode = z.custom<ErrorCode>(isErrorCode);

/** What was being asked for when the broker refused. */
const auditOperation = z.enum([
  'key-release',
  'lease-renewal',
  'release-registration',
  'revocation',
  'rewrap',
  'wrapping-key',
  'policy-change',
  'proposal',
  'guest-attestation',
  'resource-release',
  'resource-registration',
  'administration',
]);

export const auditFacts = Object.freeze({
  start: z.strictObject({
    brokerKey: digest,
    policyId: name,
    policyDigest: digest,
    keyStore: name,
    hardwareKeyStore: z.boolean(),
    simulatedTeeAllowed: z.boolean(),
    /** What keeps the state from being put back, and how the state was found; absent in logs of before. */
    freshness: z.enum(['none', 'tpm-nv', 'database', 'witnessed-checkpoint']).optional(),
    freshnessFound: z.enum(['new', 'current', 'completed', 'adopted']).optional(),
  }),
  /** Before `start`, when the policy is another one than at the start before. */
  'policy-configured': z.strictObject({ policyId: name, from: digest, to: digest }),
  stop: z.strictObject({}),
  'log-recovered': z.strictObject({ droppedBytes: count }),
  'entries-suppressed': z.strictObject({ refused: count, adminAuthFailures: count, since: isoTime }),
  /** A valid approval that came with a release, whether or not the release is registered then. */
  'approval-seen': z.strictObject({
    releaseDigest: digest,
    modelId: name,
    version: count,
    approver: name,
    approvalDigest: digest,
    by,
  }),
  'release-registered': z.strictObject({
    releaseDigest: digest,
    modelId: name,
    version: count,
    ownerKey: digest,
    approvedBy: z.array(name).max(16),
    wrappingKey: name,
    wrappingKeyVersion: count,
    keyShare,
    /** The proposal that allowed it, where a quorum was needed. */
    proposal: hex(32).optional(),
    by,
  }),
  refused: z.strictObject({
    operation: auditOperation,
    code: errorCode,
    releaseDigest: digest.optional(),
    modelId: name.optional(),
    version: count.optional(),
    leaseId: leaseId.optional(),
    tee: name.optional(),
    simulated: z.boolean().optional(),
    measurement: measurement.optional(),
    platform: platform.optional(),
    /** Of an administrator's request that was refused for his roles. */
    route: name.optional(),
    by,
  }),
  'key-released': z.strictObject({
    releaseDigest: digest,
    modelId: name,
    version: count,
    leaseId,
    leaseExpires: isoTime,
    keyConfigDigest: digest,
    tee: name,
    simulated: z.boolean(),
    measurement,
    platform,
    policyId: name,
    waivers: z.array(name).max(64),
    keyShare,
  }),
  /** After `key-released`: the key did not leave after all, and the lease is void. */
  'key-withheld': z.strictObject({ leaseId, releaseDigest: digest, code: errorCode }),
  /** What entry `entry` announces did not happen: the transaction it belongs to was rolled back. */
  'not-committed': z.strictObject({ entry: count, code: errorCode }),
  'lease-renewed': z.strictObject({
    releaseDigest: digest,
    leaseId,
    leaseExpires: isoTime,
    renewals: count,
    tee: name,
    simulated: z.boolean(),
    measurement,
    platform,
    waivers: z.array(name).max(64),
    keyShare,
  }),
  revocation: z.strictObject({
    target: z.enum(['release', 'measurement', 'platform', 'tcb', 'key']),
    value: z.string().regex(/^[ -~]{1,160}$/),
    reason: sentence,
    runningLeases: count,
    by,
  }),
  ...lifecycleFacts,
  ...quorumFacts,
  ...rcarFacts,
  'admin-auth-failure': z.strictObject({
    route: name,
    presented: z.enum(['nothing', 'wrong-token', 'wrong-scheme', 'certificate', 'access-token']),
    /** What was wrong with a certificate or an access token. */
    code: errorCode.optional(),
  }),
});

export type AuditKind = keyof typeof auditFacts;
export type AuditFacts<K extends AuditKind> = z.infer<(typeof auditFacts)[K]>;
export type AuditOperation = z.infer<typeof auditOperation>;

/** Kinds of entries that say which administrator's request they are about. */
export const administrativeKinds: ReadonlySet<AuditKind> = new Set(
  Object.keys(auditFacts)
    .filter(isAuditKind)
    .filter((kind) => 'by' in auditFacts[kind].shape),
);

export function isAuditKind(value: unknown): value is AuditKind {
  return typeof value === 'string' && Object.hasOwn(auditFacts, value);
}
