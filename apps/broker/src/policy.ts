import { createHash } from 'node:crypto';
import { attestationPolicySchema } from '@fastness/attest';
import { fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { ownerRootSchema } from '@fastness/model/release';
import { z } from 'zod';

const publicKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{40,400}$/)
  .describe('A public key: SubjectPublicKeyInfo, DER, in base64url without padding.');
const modelId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/);

/** What releases of one model must be, beyond what every release must. An absent member asks for nothing more. */
const modelRuleSchema = z.strictObject({
  /** The lowest version whose key is released. */
  minimumVersion: z.int().min(1).exactOptional(),
  /** Which of `ownerKeys` may sign its releases, by the SHA-256 of their PEM (hex), as the audit log names them. */
  signers: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .min(1)
    .max(16)
    .exactOptional(),
  /** How many approvals it needs, and by whom of the quorum's approvers; absent: as many as `quorum` says, by any. */
  approvals: z
    .strictObject({
      threshold: z.int().min(1).max(16),
      approvers: z
        .array(z.string().regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/))
        .min(1)
        .max(16),
    })
    .exactOptional(),
  /** The longest time from `notBefore` to `expires`, seconds: a release that is never renewed ends. */
  maximumValiditySeconds: z
    .int()
    .min(60)
    .max(10 * 366 * 86_400)
    .exactOptional(),
  /**
   * Its releases name this broker's log (`logKey`), and with `witnesses` above 0 a key or a lease is given only under a checkpoint
   * that at least so many of `log.witnesses` have cosigned. Clients check the proof by their own policy.
   */
  transparency: z.strictObject({ witnesses: z.int().min(0).max(16) }).exactOptional(),
});
export type ModelRule = z.infer<typeof modelRuleSchema>;

/**
 * Who may have which keys. Unknown members are refused; what an absent member means is said where it stands.
 */
export const brokerPolicySchema = z.strictObject({
  version: z.literal(1),
  /** Name of this policy in the audit log. */
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  /** Keys of model owners; a release must be signed by one of them. */
  ownerKeys: z.array(publicKey).min(1).max(16),
  /**
   * Sets of owner keys that followed `ownerKeys`, each signed by the one before it and by itself. Present: releases must be
   * signed by a key of the last set, and nothing is released when that has expired. `trusted` is the set that the chain
   * begins with, and its keys are `ownerKeys`. Absent: `ownerKeys` stand as they are.
   */
  ownerRoots: z
    .strictObject({ trusted: ownerRootSchema, chain: z.array(z.string().max(65_536)).max(64) })
    .exactOptional(),
  /** Whose approvals a release needs, and how many. */
  quorum: z.strictObject({
    threshold: z.int().min(1).max(16),
    approvers: z
      .array(z.strictObject({ id: z.string().regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/), publicKey }))
      .min(1)
      .max(16),
  }),
  /**
   * What evidence must look like. `snp.measurements` is 'from-release': those the release lists. A list there narrows the
   * release's list further, it never adds to it.
   */
  attestation: attestationPolicySchema,
  lease: z.strictObject({
    /** How long an enclave may serve without attesting again: the longest time a revocation takes to reach it. */
    ttlSeconds: z.int().min(10).max(86_400),
    /**
     * Whether leases of a superseded version (see `supersede`) go on being renewed. True lets a fleet be replaced machine
     * by machine; false ends the older version within one lease.
     */
    renewSuperseded: z.boolean(),
  }),
  /**
   * When a version supersedes the older ones of its model, for good; keys of superseded versions are not released.
   * 'on-registration': as soon as it is registered, so that whoever runs the machines cannot stay with an old version by
   * never starting the new one. 'on-release': once its key was released, so that old enclaves can start until the first
   * new one has. Absent: 'on-registration'.
   */
  supersede: z.enum(['on-registration', 'on-release']).exactOptional(),
  /**
   * Key stores that must keep their keys in hardware: 'wrapping' those that open models' keys, 'all' also the one that
   * signs leases. The broker does not start with others. Absent: software stores are used too.
   */
  requireHardware: z.enum(['wrapping', 'all']).exactOptional(),
  /** Models whose keys may be released, and their lowest version. Absent: every model that an owner key signed. */
  models: z.record(modelId, modelRuleSchema).exactOptional(),
});

export type BrokerPolicy = z.infer<typeof brokerPolicySchema>;

/** A policy that was checked, with its keys decoded. */
export interface ParsedBrokerPolicy {
  readonly policy: BrokerPolicy;
  /** SHA-256 of the policy as JSON, hex: which policy an audit entry was made under. */
  readonly digest: string;
  /** Whether registration alone makes a version supersede the older ones. */
  readonly supersedeOnRegistration: boolean;
  readonly ownerKeys: readonly Uint8Array[];
  readonly quorum: {
    readonly threshold: number;
    readonly approvers: readonly { readonly id: string; readonly publicKey: Uint8Array }[];
  };
}

/** Reads a policy. Throws `BROKER_CONFIG_INVALID`, naming the fields at fault. */
export function parseBrokerPolicy(value: unknown): ParsedBrokerPolicy {
  const policy = parseConfigPart(brokerPolicySchema, value, 'policy');
  const { threshold, approvers } = policy.quorum;
  if (threshold > approvers.length) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'policy.quorum: more approvals than approvers.');
  }
  for (const member of ['id', 'publicKey'] as const) {
    if (new Set(approvers.map((approver) => approver[member])).size !== approvers.length) {
      throw new FastnessError('BROKER_CONFIG_INVALID', `policy.quorum.approvers: two have the same ${member}.`);
    }
  }
  checkModelRules(policy);
  const { ownerRoots } = policy;
  if (ownerRoots !== undefined && ownerRoots.trusted.keys.join() !== policy.ownerKeys.join()) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'policy.ownerRoots.trusted: its keys are not ownerKeys.');
  }
  return {
    policy,
    digest: createHash('sha256').update(JSON.stringify(policy)).digest('hex'),
    supersedeOnRegistration: policy.supersede !== 'on-release',
    ownerKeys: policy.ownerKeys.map((key, index) => decodeKey(key, `ownerKeys.${index}`)),
    quorum: {
      threshold,
      approvers: approvers.map(({ id, publicKey: key }) => ({ id, publicKey: decodeKey(key, `quorum: ${id}`) })),
    },
  };
}

/** A rule that nobody could meet is a mistake, and is said at once. */
function checkModelRules({ models = {}, quorum }: BrokerPolicy): void {
  const known = new Set(quorum.approvers.map(({ id }) => id));
  for (const [id, { approvals }] of Object.entries(models)) {
    if (approvals === undefined) continue;
    const named = new Set(approvals.approvers);
    const stranger = approvals.approvers.find((approver) => !known.has(approver));
    if (stranger !== undefined || approvals.threshold > named.size) {
      throw new FastnessError(
        'BROKER_CONFIG_INVALID',
        `policy.models.${id}.approvals: ${stranger === undefined ? 'more approvals than approvers' : `no approver ${stranger}`}.`,
      );
    }
  }
}

function decodeKey(text: string, place: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `policy.${place}: not base64url.`, { cause });
  }
}

/** Checks a part of the configuration. Throws `BROKER_CONFIG_INVALID` with places and reasons, without values. */
export function parseConfigPart<T>(schema: z.ZodType<T>, value: unknown, place: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, 5)
    .map((issue) => `${[place, ...issue.path].join('.')}: ${issue.message}`);
  throw new FastnessError('BROKER_CONFIG_INVALID', faults.join('; '));
}
