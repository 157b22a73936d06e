import { isErrorCode, type ErrorCode } from '@fastness/codec/errors';
import { z } from 'zod';
import { administratorFacts } from '../audit/administrator.ts';

/*
 * What the audit log may hold of keys, policies and proposals: closed schemas of small facts, as in audit/facts.ts.
 */
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/);
const count = z.number().int().nonnegative();
const isoTime = z.iso.datetime({ precision: 3 });
const proposalId = z.string().regex(/^[0-9a-f]{32}$/);
const by = administratorFacts.optional();
const code = z.custom<ErrorCode>(isErrorCode);

export const lifecycleFacts = Object.freeze({
  'wrapping-key-minimum': z.strictObject({ wrappingKey: name, minimumVersion: count, by }),
  'wrapping-key-state': z.strictObject({
    wrappingKey: name,
    state: z.enum(['enabled', 'disabled', 'destruction-scheduled', 'destroying', 'destroyed']),
    destroyAt: isoTime.optional(),
    runningLeases: count,
    proposal: proposalId.optional(),
    by,
  }),
  'rotation-begun': z.strictObject({ wrappingKey: name, version: count, by }),
  'rotation-finished': z.strictObject({ wrappingKey: name, version: count, rewrapped: count, by }),
  rewrapped: z.strictObject({ releaseDigest: digest, wrappingKey: name, wrappingKeyVersion: count, by }),
  'policy-changed': z.strictObject({
    generation: count,
    policyId: name,
    policyDigest: digest,
    simulatedTeeAllowed: z.boolean(),
    proposal: proposalId.optional(),
    by,
  }),
});

export const quorumFacts = Object.freeze({
  'proposal-created': z.strictObject({
    proposal: proposalId,
    action: name,
    proposalDigest: digest,
    expires: isoTime,
    by,
  }),
  'proposal-approved': z.strictObject({ proposal: proposalId, member: name, key: digest, approvals: count, by }),
  'proposal-executing': z.strictObject({ proposal: proposalId, by }),
  'proposal-ended': z.strictObject({
    proposal: proposalId,
    state: z.enum(['failed', 'expired', 'cancelled']),
    code: code.optional(),
    by,
  }),
  'quorum-changed': z.strictObject({
    generation: count,
    membershipDigest: digest,
    members: count,
    threshold: count,
    proposal: proposalId,
    by,
  }),
});
