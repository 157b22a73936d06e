import type { BrokerContext, Recorded } from '../context.ts';
import type { AuditKind } from '../audit/facts.ts';
import { checkDestruction, prepareDestruction } from '../lifecycle/destruction.ts';
import { preparePolicy } from '../lifecycle/change-policy.ts';
import { generations, requireGovernance } from '../lifecycle/in-force.ts';
import { governed } from '../lifecycle/tables.ts';
import { prepareRegistration } from '../register.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { canonicalJson } from './canonical.ts';
import { parseMembership, type Membership } from './membership.ts';
import type { ProposedAction } from './proposal.ts';
import { endOthers } from './proposals.ts';

/** The change that an action makes, in the transaction that also ends its proposal. */
export type PreparedChange = (trx: BrokerDatabase) => Promise<Recorded<AuditKind, unknown>>;

/** Checks everything about an action that can be checked before its transaction, and returns the change. */
export async function prepareAction(
  context: BrokerContext,
  action: ProposedAction,
  proposal: string,
): Promise<PreparedChange> {
  if (action.kind === 'release') return await prepareRegistration(context, action.registration, {}, proposal);
  if (action.kind === 'policy') return preparePolicy(context, action.policy, proposal);
  if (action.kind === 'quorum') return await prepareMembership(context, action.membership, proposal);
  await checkDestruction(context, action.keyId, action.delaySeconds);
  return prepareDestruction(context, action.keyId, action.delaySeconds, proposal);
}

/** Refuses a proposal whose action could not be executed as things stand. */
export async function checkAction(context: BrokerContext, action: ProposedAction): Promise<void> {
  await prepareAction(context, action, '0'.repeat(32));
}

/** New members. Every other proposal that is still open was made for the old ones, and ends. */
async function prepareMembership(
  context: BrokerContext,
  membership: Membership,
  proposal: string,
): Promise<(trx: BrokerDatabase) => Promise<Recorded<'quorum-changed', { generation: number }>>> {
  const now = context.now();
  const parsed = await parseMembership(membership, (requireGovernance(context).quorum?.generation ?? 0) + 1);
  return async (trx) => {
    const generation = (await generations(trx)).membership + 1;
    await governed(trx)
      .insertInto('memberships')
      .values({
        generation,
        document: canonicalJson(membership),
        proposal_id: proposal,
        activated_at: now.toISOString(),
      })
      .execute();
    await endOthers(trx, proposal, { at: now, code: 'QUORUM_MEMBERSHIP_CHANGED' });
    const facts = {
      generation,
      membershipDigest: parsed.digest,
      members: membership.members.length,
      threshold: membership.threshold,
      proposal,
    };
    return { kind: 'quorum-changed', facts, result: { generation } };
  };
}
