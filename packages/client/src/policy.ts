import { attestationPolicySchema } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { ownerRootSchema } from '@fastness/model/release';
import { z } from 'zod';

/** SubjectPublicKeyInfo DER as unpadded base64url. */
const publicKeySchema = z
  .string()
  .max(2048)
  .regex(/^[A-Za-z0-9_-]{16,}$/, 'expected SubjectPublicKeyInfo DER in base64url');

/** `NAME+ID+BASE64`; whether it is one is found out when it is used. */
const verifierKeySchema = z
  .string()
  .max(512)
  .regex(/^[^\s+]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+={0,2}$/, 'expected NAME+ID+BASE64');

/** What has to be in a log before an enclave is accepted. */
const transparencySchema = z
  .strictObject({
    logKeys: z
      .array(verifierKeySchema)
      .min(1)
      .max(16)
      .describe('Keys of the logs, one of which has to show that the release got its key: the `logKey` of brokers.'),
    witnesses: z
      .strictObject({
        threshold: z.int().min(1).max(16).describe('How many of them must have cosigned.'),
        keys: z.array(verifierKeySchema).min(1).max(16),
      })
      .refine(({ threshold, keys }) => threshold <= keys.length, 'more witnesses than keys')
      .exactOptional()
      .describe('Who must have seen the same log. Absent: the log alone is believed.'),
    maximumAgeSeconds: z
      .int()
      .min(1)
      .exactOptional()
      .describe('How long ago they may have cosigned; at least the length of a lease. Absent: any time.'),
  })
  .refine(
    ({ witnesses, maximumAgeSeconds }) => maximumAgeSeconds === undefined || witnesses !== undefined,
    'maximumAgeSeconds needs witnesses: only they say when',
  );

/** What a client accepts. Unknown members are refused, so that a misspelt restriction cannot pass for one. */
export const clientPolicySchema = z.strictObject({
  version: z.literal(1),
  ownerKeys: z
    .array(publicKeySchema)
    .min(1)
    .max(16)
    .describe('Keys of the model owner, one of which signed the release.'),
  ownerRoots: z
    .strictObject({ trusted: ownerRootSchema, chain: z.array(z.string().max(65_536)).max(64) })
    .exactOptional()
    .describe(
      'The set that `ownerKeys` are the keys of, and sets that followed it, each signed by the one before it and by itself. Present: newer sets that come with a release are followed too, and the last one counts. Absent: `ownerKeys` stand as they are.',
    ),
  quorum: z
    .strictObject({
      threshold: z.int().min(1).describe('How many of the approvers must have approved the release.'),
      approvers: z
        .array(z.strictObject({ id: z.string().min(1).max(128), publicKey: publicKeySchema }))
        .min(1)
        .max(64),
    })
    .refine(({ threshold, approvers }) => threshold <= approvers.length, 'more approvals than approvers'),
  attestation: attestationPolicySchema.describe(
    "What the evidence must show. `snp.measurements: 'from-release'` accepts what the release lists; a list narrows that.",
  ),
  allowX25519: z
    .boolean()
    .exactOptional()
    .describe('Whether a runtime without ML-KEM-768 may use X25519 alone. Absent: false.'),
  protocol: z
    .literal('ohttp')
    .exactOptional()
    .describe(
      'The adapter that requests go through instead of the channel’s own protocol, chunked OHTTP, with what it does worse: see docs/protocol.md, section 8. Absent: chunked OHTTP and nothing else. Either way there is no fallback to another.',
    ),
  model: z
    .string()
    .min(1)
    .max(128)
    .exactOptional()
    .describe('The model that must be served. Absent: any of the owner.'),
  deployment: z
    .literal('this-deployment')
    .exactOptional()
    .describe(
      'Whether the enclave must show a lease of the broker that the owner named in the release, for the very keys in use. Absent: any genuine enclave of the release; a lease that is shown is checked all the same.',
    ),
  traffic: z
    .enum(['balanced', 'strict'])
    .exactOptional()
    .describe(
      'The least that the release must promise about hiding sizes and times of answers; requests are padded to match: to 1 KiB at least for `balanced`, 4 KiB for `strict`. Absent: no promise is asked for.',
    ),
  transparency: transparencySchema
    .exactOptional()
    .describe('The log that has to have the use of the release. Absent: none has to.'),
  minimumVersion: z.int().min(1).exactOptional().describe('Oldest release that is accepted. Absent: any.'),
});

export type ClientPolicy = z.infer<typeof clientPolicySchema>;

/**
 * Reads a client policy from JSON-like data.
 * @throws FastnessError `CLIENT_POLICY_INVALID`, naming the members at fault
 */
export function parseClientPolicy(value: unknown): ClientPolicy {
  const result = clientPolicySchema.safeParse(value);
  if (result.success) {
    const { ownerRoots, ownerKeys } = result.data;
    if (ownerRoots !== undefined && ownerRoots.trusted.keys.join() !== ownerKeys.join()) {
      throw new FastnessError('CLIENT_POLICY_INVALID', 'ownerRoots.trusted: its keys are not ownerKeys');
    }
    return result.data;
  }
  const faults = result.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.') || 'policy'}: ${issue.message}`);
  throw new FastnessError('CLIENT_POLICY_INVALID', faults.join('; '));
}
