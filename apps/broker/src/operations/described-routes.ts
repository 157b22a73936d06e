import { challengeSchema, keyReleaseRequestSchema, keyReleaseResponseSchema } from '@fastness/channel/wire';
import { z } from 'zod';
import { policyChangeSchema, policyInForceSchema } from '../lifecycle/change-policy.ts';
import { rewrappedSchema, rewrapSchema } from '../lifecycle/rewrap.ts';
import {
  previewSchema,
  wrappingKeyChangedSchema,
  wrappingKeyChangeSchema,
  wrappingKeysSchema,
} from '../lifecycle/routes.ts';
import {
  approvalCountSchema,
  approvalRequestSchema,
  listQuery,
  proposalListSchema,
  proposalRequestSchema,
  proposalStateSchema,
  proposalViewSchema,
  quorumViewSchema,
} from '../quorum/routes.ts';
import { resourcePageSchema, resourceQuery } from '../rcar/admin-routes.ts';
import { attestationSchema } from '../rcar/attest-guest.ts';
import { registeredResourceSchema, resourceRegistrationSchema } from '../rcar/resources.ts';
import { authSchema } from '../rcar/routes.ts';
import {
  recordedRevocationSchema,
  registeredReleaseSchema,
  revocationPreviewSchema,
  revocationSchema,
} from '../register.ts';
import { registrationSchema } from '../registration.ts';
import { adminIdentitySchema, auditPageSchema, auditQuery, leasePageSchema, leaseQuery } from '../routes/admin.ts';

/** One operation of the broker. Paths have their parameters in braces. */
export interface DescribedRoute {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly who: 'everybody' | 'administrator' | 'guest';
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** What a JSON answer looks like; absent: no JSON. */
  readonly answer?: z.ZodType;
}

const ok = z.strictObject({ status: z.literal('ok') });
const base64Url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const jwe = z.strictObject({
  protected: base64Url,
  encrypted_key: base64Url,
  iv: base64Url,
  ciphertext: base64Url,
  tag: base64Url,
});
const guestChallenge = z.strictObject({ nonce: z.string(), 'extra-params': z.string() });

const everybody: DescribedRoute[] = [
  { method: 'get', path: '/health', summary: 'Whether the broker works.', who: 'everybody', answer: ok },
  { method: 'get', path: '/openapi.json', summary: 'This description.', who: 'everybody', answer: z.looseObject({}) },
  { method: 'post', path: '/v1/challenges', summary: 'A nonce.', who: 'everybody', answer: challengeSchema },
  {
    method: 'post',
    path: '/v1/key-releases',
    summary: 'A key, or a renewed lease, for evidence over a nonce.',
    who: 'everybody',
    body: keyReleaseRequestSchema,
    answer: keyReleaseResponseSchema,
  },
  {
    method: 'get',
    path: '/v1/log/{resource}',
    summary: 'The transparency log: checkpoint, tiles and entries (c2sp.org/tlog-tiles).',
    who: 'everybody',
  },
];

const guests: DescribedRoute[] = [
  {
    method: 'post',
    path: '/kbs/v0/auth',
    summary: 'Begins a session of the KBS protocol 0.4.0, where that is configured.',
    who: 'everybody',
    body: authSchema,
    answer: guestChallenge,
  },
  {
    method: 'post',
    path: '/kbs/v0/attest',
    summary: 'A token for evidence over the nonce of a session.',
    who: 'everybody',
    body: attestationSchema,
    answer: z.strictObject({ token: z.string() }),
  },
  {
    method: 'get',
    path: '/kbs/v0/resource/{repository}/{type}/{tag}',
    summary: 'A resource, encrypted to the key of the guest.',
    who: 'guest',
    answer: jwe,
  },
];

const admin = (
  method: DescribedRoute['method'],
  path: string,
  summary: string,
  shapes: Pick<DescribedRoute, 'answer' | 'body' | 'query'>,
): DescribedRoute => ({ method, path: `/v1/admin/${path}`, summary, who: 'administrator', ...shapes });

const administrators: DescribedRoute[] = [
  admin('get', 'identity', 'Who the broker takes the caller for.', { answer: adminIdentitySchema }),
  admin('put', 'releases', 'Registers a release.', { body: registrationSchema, answer: registeredReleaseSchema }),
  admin('post', 'revocations', 'Revokes, for good.', { body: revocationSchema, answer: recordedRevocationSchema }),
  admin('post', 'revocations/preview', 'Whom a revocation would hit.', {
    body: previewSchema,
    answer: revocationPreviewSchema,
  }),
  admin('get', 'audit', 'Entries of the audit log.', { query: auditQuery, answer: auditPageSchema }),
  admin('get', 'leases', 'Leases.', { query: leaseQuery, answer: leasePageSchema }),
  admin('put', 'wrapped-keys', 'Takes over a key that was wrapped anew.', {
    body: rewrapSchema,
    answer: rewrappedSchema,
  }),
  admin('get', 'wrapping-keys', 'Wrapping keys.', { answer: wrappingKeysSchema }),
  admin('post', 'wrapping-keys', 'Changes a wrapping key.', {
    body: wrappingKeyChangeSchema,
    answer: wrappingKeyChangedSchema,
  }),
  admin('get', 'policy', 'The policy in force.', { answer: policyInForceSchema }),
  admin('put', 'policy', 'Changes the policy.', { body: policyChangeSchema, answer: policyInForceSchema }),
  admin('get', 'quorum', 'The members of the quorum.', { answer: quorumViewSchema }),
  admin('post', 'proposals', 'Makes a proposal.', { body: proposalRequestSchema, answer: proposalViewSchema }),
  admin('get', 'proposals', 'Proposals.', { query: listQuery, answer: proposalListSchema }),
  admin('get', 'proposals/{id}', 'A proposal.', { answer: proposalViewSchema }),
  admin('post', 'proposals/{id}/approvals', "Carries a member's approval.", {
    body: approvalRequestSchema,
    answer: approvalCountSchema,
  }),
  admin('post', 'proposals/{id}/execution', 'Executes an approved proposal.', { answer: proposalStateSchema }),
  admin('post', 'proposals/{id}/cancellation', 'Cancels a proposal.', { answer: proposalStateSchema }),
  admin('put', 'resources', 'Registers a resource for guests.', {
    body: resourceRegistrationSchema,
    answer: registeredResourceSchema,
  }),
  admin('get', 'resources', 'Resources, without their values.', { query: resourceQuery, answer: resourcePageSchema }),
  admin('delete', 'resources/{repository}/{type}/{tag}', 'Removes a resource.', {
    answer: z.strictObject({ removed: z.string() }),
  }),
];

/** Every operation of the broker, whether it is configured or not. */
export const describedRoutes: readonly DescribedRoute[] = Object.freeze([...everybody, ...guests, ...administrators]);
