import { z } from 'zod';
import { checkShape, readJsonBody } from '../http/body.ts';
import type { BrokerContext } from '../context.ts';
import { requireGovernance, refreshGovernance } from '../lifecycle/in-force.ts';
import type { BrokerApp } from '../routes/app.ts';
import type { RecordingAdmin } from '../routes/recording.ts';
import { asStoreError } from '../store/index.ts';
import { approveProposal, cancelProposal, createProposal, quorumInForce } from './decide.ts';
import { executeProposal } from './execute.ts';
import { membershipSchema } from './membership.ts';
import { findProposal, listApprovals, listChallenges, listProposals, type StoredProposal } from './proposals.ts';
import { actionSchema, proposalSchema, readProposal } from './proposal.ts';
import { proofSchema } from './verify-approval.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const states = z.enum(['pending', 'approved', 'executing', 'succeeded', 'failed', 'expired', 'cancelled']);

/** Body of `POST /v1/admin/proposals`. */
export const proposalRequestSchema = z.strictObject({
  action: actionSchema,
  reason: proposalSchema.shape.reason,
  lifetimeSeconds: z.int().min(1).exactOptional(),
});
export type ProposalRequest = z.infer<typeof proposalRequestSchema>;

const summary = {
  id,
  state: states,
  action: z.string(),
  reason: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  code: z.string().nullable(),
};

/** Answer to `GET /v1/admin/proposals?state=open|all&limit=N`, newest first. */
export const proposalListSchema = z.strictObject({ proposals: z.array(z.strictObject(summary)) });
type ProposalList = z.infer<typeof proposalListSchema>;

/** Answer to `GET /v1/admin/proposals/ID`: the bytes to be approved, the challenges, and who has approved. */
export const proposalViewSchema = z.strictObject({
  ...summary,
  document: z.string(),
  payload: z.string(),
  digest: z.string(),
  threshold: z.int(),
  challenges: z.array(z.strictObject({ keyId: z.string(), member: z.string(), kind: z.string(), nonce: z.string() })),
  approvals: z.array(z.strictObject({ member: z.string(), keyId: z.string(), approvedAt: z.iso.datetime() })),
});
export type ProposalView = z.infer<typeof proposalViewSchema>;

/** Body of `POST /v1/admin/proposals/ID/approvals`. */
export const approvalRequestSchema = z.strictObject({ keyId: z.string().regex(/^[0-9a-f]{64}$/), proof: proofSchema });

/** Answer to it. */
export const approvalCountSchema = z.strictObject({ approvals: z.int(), threshold: z.int() });

/** Answer to `POST /v1/admin/proposals/ID/execution` and `.../cancellation`. */
export const proposalStateSchema = z.strictObject({ id, state: states });

/** Answer to `GET /v1/admin/quorum`. */
export const quorumViewSchema = z.strictObject({
  generation: z.int().nonnegative(),
  digest: z.string(),
  membership: membershipSchema,
});

/**
 * Routes of proposals. An administrator's role lets somebody make, see and carry approvals; what counts as an approval
 * are signatures of the members alone.
 */
export function addQuorumRoutes(app: BrokerApp, context: BrokerContext, recording: RecordingAdmin): void {
  const limit = context.limits.body.admin;
  const idOf = (text: string | undefined): string => checkShape(id, text);

  app.get('/v1/admin/quorum', async (c) => {
    const { generation, digest, membership } = (await quorumInForce(context)).quorum;
    return c.json({ generation, digest, membership });
  });

  app.post('/v1/admin/proposals', async (c) => {
    const made = await recording('proposal', async () =>
      createProposal(context, await readJsonBody(c.req.raw, proposalRequestSchema, limit)),
    );
    return c.json(await view(context, made.proposal.id));
  });

  app.get('/v1/admin/proposals', async (c) => {
    const query = checkShape(listQuery, c.req.query());
    await refreshGovernance(context);
    const rows = await asStoreError(() =>
      listProposals(context.db, { limit: query.limit, open: query.state === 'open' }),
    );
    return c.json({ proposals: rows.map((row) => summaryOf(row, context.now())) } satisfies ProposalList);
  });

  app.get('/v1/admin/proposals/:id', async (c) => c.json(await view(context, idOf(c.req.param('id')))));

  app.post('/v1/admin/proposals/:id/approvals', async (c) =>
    c.json(
      await recording('proposal', async () => {
        const body = await readJsonBody(c.req.raw, approvalRequestSchema, 64 * 1024);
        return await approveProposal(context, idOf(c.req.param('id')), body);
      }),
    ),
  );

  app.post('/v1/admin/proposals/:id/execution', async (c) => {
    const proposal = idOf(c.req.param('id'));
    await recording('proposal', async () => executeProposal(context, proposal));
    return c.json({ id: proposal, state: 'succeeded' });
  });

  app.post('/v1/admin/proposals/:id/cancellation', async (c) => {
    const proposal = idOf(c.req.param('id'));
    await recording('proposal', async () => cancelProposal(context, proposal));
    return c.json({ id: proposal, state: 'cancelled' });
  });
}

export const listQuery = z.strictObject({
  state: z.enum(['open', 'all']).default('open'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

function summaryOf(row: StoredProposal, now: Date): ProposalList['proposals'][number] {
  const { proposal } = readProposal(row.document, row.payload);
  const over = ['pending', 'approved', 'executing'].includes(row.state) && row.expires_at <= now.toISOString();
  return {
    id: proposal.id,
    state: over ? 'expired' : row.state,
    action: proposal.action,
    reason: proposal.reason,
    createdAt: proposal.createdAt,
    expiresAt: proposal.expiresAt,
    code: row.code,
  };
}

async function view(context: BrokerContext, proposalId: string): Promise<ProposalView> {
  await refreshGovernance(context);
  const { quorum } = requireGovernance(context);
  const row = await asStoreError(() => findProposal(context.db, proposalId));
  const challenges = await asStoreError(() => listChallenges(context.db, proposalId));
  const approvals = await asStoreError(() => listApprovals(context.db, proposalId));
  const { document, digest, payload } = readProposal(row.document, row.payload);
  return {
    ...summaryOf(row, context.now()),
    document,
    payload,
    digest,
    threshold: quorum?.membership.threshold ?? 0,
    challenges: challenges.flatMap(({ key_id: keyId, nonce }) => {
      const registered = quorum?.keys.get(keyId);
      // Keys that left the quorum since.
      return registered === undefined ? [] : [{ keyId, member: registered.member, kind: registered.key.kind, nonce }];
    }),
    approvals: approvals.map((row_) => ({ member: row_.member, keyId: row_.key_id, approvedAt: row_.approved_at })),
  };
}
