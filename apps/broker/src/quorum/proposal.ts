import { randomBytes } from 'node:crypto';
import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { brokerPolicySchema } from '../policy.ts';
import { registrationSchema } from '../registration.ts';
import { guardedActions } from '../lifecycle/options.ts';
import { canonicalJson, digestOf } from './canonical.ts';
import { membershipSchema } from './membership.ts';

const wrappingKey = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);

/** What a proposal would do, with all that it takes. */
export const actionSchema = z.discriminatedUnion('kind', [
  /** Registers a release, as `PUT /v1/admin/releases` does without a quorum. */
  z.strictObject({ kind: z.literal('release'), registration: registrationSchema }),
  /** Replaces the broker's policy. */
  z.strictObject({ kind: z.literal('policy'), policy: brokerPolicySchema }),
  /** Schedules the destruction of a wrapping key; it can be cancelled until it is due. */
  z.strictObject({ kind: z.literal('key-destruction'), keyId: wrappingKey, delaySeconds: z.int().min(1) }),
  /** Replaces the members of the quorum. */
  z.strictObject({ kind: z.literal('quorum'), membership: membershipSchema }),
]);
export type ProposedAction = z.infer<typeof actionSchema>;

/** What approvers sign for, in one canonical text: what is to be done, for which quorum, until when. */
export const proposalSchema = z.strictObject({
  format: z.literal('fastness/proposal/v1'),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  /** 32 random bytes: no two proposals have the same text. */
  nonce: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** The broker that would do it: SHA-256 of its public key. */
  broker: z.string().regex(/^[0-9a-f]{64}$/),
  quorum: z.strictObject({ generation: z.int().nonnegative(), digest: z.string().regex(/^[0-9a-f]{64}$/) }),
  action: z.enum(guardedActions),
  /** SHA-256 of the canonical text of the action. */
  payloadDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** One line, by whoever made it. */
  reason: z.string().regex(/^[^\p{Cc}\p{Cs}\u2028\u2029]{1,500}$/u),
});
export type Proposal = z.infer<typeof proposalSchema>;

/** A proposal as text and read. */
export interface ProposalDocument {
  readonly proposal: Proposal;
  /** The canonical text. */
  readonly document: string;
  /** SHA-256 of it, hex: what challenges are made from. */
  readonly digest: string;
  readonly payload: string;
}

export function makeProposal(options: {
  readonly action: ProposedAction;
  readonly reason: string;
  readonly broker: string;
  readonly quorum: { readonly generation: number; readonly digest: string };
  readonly now: Date;
  readonly lifetimeSeconds: number;
}): ProposalDocument {
  const { action, reason, broker, quorum, now, lifetimeSeconds } = options;
  const payload = canonicalJson(action);
  return readProposal(
    canonicalJson({
      format: 'fastness/proposal/v1',
      id: randomBytes(16).toString('hex'),
      nonce: toBase64Url(randomBytes(32)),
      createdAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + lifetimeSeconds * 1000).toISOString(),
      broker,
      quorum: { generation: quorum.generation, digest: quorum.digest },
      action: action.kind,
      payloadDigest: digestOf(payload),
      reason,
    } satisfies Proposal),
    payload,
  );
}

/**
 * Reads a proposal and what it would do. Approvers call it before they sign: it refuses a text that is not the canonical
 * one and an action that is not the one named. Throws `PROPOSAL_INVALID`, `PROPOSAL_MISMATCH`.
 */
export function readProposal(
  document: string,
  payload: string,
): ProposalDocument & { readonly action: ProposedAction } {
  const proposal = parse(proposalSchema, document);
  const action = parse(actionSchema, payload);
  if (canonicalJson(proposal) !== document || canonicalJson(action) !== payload)
    throw new FastnessError('PROPOSAL_MISMATCH', 'Not in canonical form.');
  if (digestOf(payload) !== proposal.payloadDigest) throw new FastnessError('PROPOSAL_MISMATCH', 'Another action.');
  if (action.kind !== proposal.action) throw new FastnessError('PROPOSAL_MISMATCH', `It is ${action.kind}.`);
  return { proposal, document, digest: digestOf(document), payload, action };
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FastnessError('PROPOSAL_INVALID', 'Not JSON.');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FastnessError('PROPOSAL_INVALID', `At /${parsed.error.issues[0]?.path.map(String).join('/') ?? ''}.`);
}

/** The bytes a key signs for one challenge: told apart from everything else that the same key may sign. */
export function approvalMessage(challenge: Uint8Array): Uint8Array {
  return utf8Encode(`fastness/quorum-approval/v1\n${toBase64Url(challenge)}\n`);
}
