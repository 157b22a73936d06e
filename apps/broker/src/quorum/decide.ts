import { FastnessError } from '@fastness/codec/errors';
import { commitRecorded, type BrokerContext } from '../context.ts';
import { requireGovernance, underRulesInForce } from '../lifecycle/in-force.ts';
import type { GuardedAction } from '../lifecycle/options.ts';
import { checkAction } from './actions.ts';
import type { Quorum } from './membership.ts';
import {
  findChallenge,
  findProposal,
  insertApproval,
  insertProposal,
  listApprovals,
  moveProposal,
  openStates,
  raiseCounter,
  type StoredProposal,
} from './proposals.ts';
import { makeProposal, readProposal, type ProposalDocument, type ProposedAction } from './proposal.ts';
import { verifyApproval, type Proof } from './verify-approval.ts';

/** Throws `QUORUM_REQUIRED` when this broker has a quorum: then only a proposal does what `action` names. */
export function refuseWithoutQuorum(context: Pick<BrokerContext, 'governance'>, action: GuardedAction): void {
  if (context.governance?.quorum !== undefined) throw new FastnessError('QUORUM_REQUIRED', `For ${action}.`);
}

/** The quorum in force, and the rules to decide under with it. Throws `QUORUM_NOT_CONFIGURED`. */
export async function quorumInForce(context: BrokerContext): Promise<{ quorum: Quorum; rules: BrokerContext }> {
  const rules = await underRulesInForce(context);
  const { quorum } = requireGovernance(rules);
  if (quorum === undefined) throw new FastnessError('QUORUM_NOT_CONFIGURED');
  return { quorum, rules };
}

/** Makes a proposal, with a challenge for every key of the quorum. What could not be executed now is refused. */
export async function createProposal(
  context: BrokerContext,
  request: { readonly action: ProposedAction; readonly reason: string; readonly lifetimeSeconds?: number },
): Promise<ProposalDocument> {
  const { quorum, rules } = await quorumInForce(context);
  const { quorumOptions, signer } = requireGovernance(context);
  const lifetimeSeconds = request.lifetimeSeconds ?? quorumOptions?.proposalSeconds ?? 0;
  if (lifetimeSeconds < 60 || lifetimeSeconds > (quorumOptions?.maximumProposalSeconds ?? 0)) {
    throw new FastnessError('PROPOSAL_INVALID', `Its lifetime is ${lifetimeSeconds} seconds.`);
  }
  await checkAction(rules, request.action);
  const { action, reason } = request;
  const since = requireGovernance(rules).policyProposedAt;
  // The next start would take it for one that was in force before.
  if (action.kind === 'policy' && since !== undefined && context.now().toISOString() < since)
    throw new FastnessError('PROPOSAL_INVALID', `The clock is behind the policy in force, proposed at ${since}.`);
  const made = makeProposal({ action, reason, broker: signer.keyId, quorum, now: context.now(), lifetimeSeconds });
  return await commitRecorded(rules, async (trx) => {
    await insertProposal(trx, made, quorum);
    const { id, expiresAt } = made.proposal;
    const facts = { proposal: id, action: action.kind, proposalDigest: made.digest, expires: expiresAt };
    return { kind: 'proposal-created', facts, result: made };
  });
}

/**
 * Counts an approval: the proposal is still open and of the quorum in force, the proof is by one of its keys over the
 * challenge of this key and these bytes, and the member has not voted. The last one needed makes it `approved`.
 */
export async function approveProposal(
  context: BrokerContext,
  id: string,
  request: { readonly keyId: string; readonly proof: Proof },
): Promise<{ readonly approvals: number; readonly threshold: number }> {
  const { quorum, rules } = await quorumInForce(context);
  await endExpired(context, id);
  return await commitRecorded(rules, async (trx) => {
    const stored = await findProposal(trx, id);
    const now = context.now();
    if (stored.state !== 'pending' && stored.state !== 'approved') throw stateError(stored);
    const { digest } = boundProposal(stored, quorum, now);
    const nonce = await findChallenge(trx, id, request.keyId);
    const { keyId, proof } = request;
    const { registered, counter } = await verifyApproval(quorum, digest, { keyId, nonce, proof });
    await insertApproval(trx, {
      proposal_id: id,
      member: registered.member,
      key_id: keyId,
      proof: JSON.stringify(proof),
      approved_at: now.toISOString(),
    });
    if (counter !== undefined) await raiseCounter(trx, keyId, counter);
    const approvals = (await listApprovals(trx, id)).length;
    const { threshold } = quorum.membership;
    if (approvals >= threshold) await moveProposal(trx, id, ['pending'], 'approved');
    const facts = { proposal: id, member: registered.member, key: keyId, approvals };
    return { kind: 'proposal-approved', facts, result: { approvals, threshold } };
  });
}

/** Takes a proposal back. Throws `PROPOSAL_UNKNOWN`, `PROPOSAL_STATE`. */
export async function cancelProposal(context: BrokerContext, id: string): Promise<void> {
  await endExpired(context, id);
  await commitRecorded(context, async (trx) => {
    const stored = await findProposal(trx, id);
    if (!(await moveProposal(trx, id, ['pending', 'approved'], 'cancelled', { at: context.now() })))
      throw stateError(stored);
    return { kind: 'proposal-ended', facts: { proposal: id, state: 'cancelled' }, result: undefined };
  });
}

/** The proposal as stored, checked: canonical, for this quorum, in time. */
export function boundProposal(stored: StoredProposal, quorum: Quorum, now: Date): ReturnType<typeof readProposal> {
  const read = readProposal(stored.document, stored.payload);
  const { proposal } = read;
  if (proposal.id !== stored.proposal_id) throw new FastnessError('PROPOSAL_MISMATCH', 'Another id.');
  if (proposal.quorum.generation !== quorum.generation || proposal.quorum.digest !== quorum.digest)
    throw new FastnessError('QUORUM_MEMBERSHIP_CHANGED');
  // The document's own time: the row's is only for lists.
  if (now.getTime() >= Date.parse(proposal.expiresAt)) throw new FastnessError('PROPOSAL_EXPIRED');
  return read;
}

export function stateError({ state, code }: StoredProposal): FastnessError {
  if (state === 'expired') return new FastnessError('PROPOSAL_EXPIRED');
  return new FastnessError('PROPOSAL_STATE', code === null ? `It is ${state}.` : `It is ${state}: ${code}.`);
}

/** Says so, once, when the time of a proposal is over. */
export async function endExpired(context: BrokerContext, id: string): Promise<void> {
  const stored = await findProposal(context.db, id);
  if (!openStates.includes(stored.state) || context.now().toISOString() < stored.expires_at) return;
  await commitRecorded(context, async (trx) => {
    if (!(await moveProposal(trx, id, openStates, 'expired', { at: context.now() })))
      throw stateError(await findProposal(trx, id));
    return { kind: 'proposal-ended', facts: { proposal: id, state: 'expired' }, result: undefined };
  });
}
