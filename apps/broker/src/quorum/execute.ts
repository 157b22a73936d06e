import { FastnessError } from '@fastness/codec/errors';
import { commitRecorded, type BrokerContext } from '../context.ts';
import { refreshGovernance } from '../lifecycle/in-force.ts';
import { prepareAction } from './actions.ts';
import { boundProposal, endExpired, quorumInForce, stateError } from './decide.ts';
import { findProposal, moveProposal, readApprovals } from './proposals.ts';
import { requireQuorum } from './verify-approval.ts';

/**
 * Executes an approved proposal. All its approvals are verified again, against the quorum in force and the exact bytes.
 *
 * What it changes and that it succeeded are one transaction, so it is executed once or not at all, however often it is
 * asked for and wherever the broker dies; after a crash it is `executing` and may be asked for again until it expires.
 * What is refused for good makes it `failed`. Throws `PROPOSAL_*`, `QUORUM_*` and what the action throws.
 */
export async function executeProposal(context: BrokerContext, id: string): Promise<unknown> {
  const { quorum, rules } = await quorumInForce(context);
  await endExpired(context, id);
  const action = await commitRecorded(rules, async (trx) => {
    const stored = await findProposal(trx, id);
    if (stored.state === 'pending') throw new FastnessError('QUORUM_APPROVALS_MISSING');
    if (stored.state !== 'approved' && stored.state !== 'executing') throw stateError(stored);
    const bound = boundProposal(stored, quorum, context.now());
    await requireQuorum(quorum, bound.digest, await readApprovals(trx, id));
    await moveProposal(trx, id, ['approved', 'executing'], 'executing');
    return { kind: 'proposal-executing', facts: { proposal: id }, result: bound.action };
  });
  try {
    const change = await prepareAction(rules, action, id);
    const result = await commitRecorded(rules, async (trx) => {
      // Whoever comes second finds it done.
      if (!(await moveProposal(trx, id, ['executing'], 'succeeded', { at: context.now() })))
        throw stateError(await findProposal(trx, id));
      return await change(trx);
    });
    await refreshGovernance(context);
    return result;
  } catch (error) {
    await endFailed(context, id, error);
    throw error;
  }
}

/** A refusal ends the proposal; a fault of disks, servers or key stores does not, and it may be executed again. */
async function endFailed(context: BrokerContext, id: string, error: unknown): Promise<void> {
  if (!(error instanceof FastnessError) || error.class === 'unavailable' || error.class === 'internal') return;
  const { code } = error;
  const stored = await findProposal(context.db, id);
  if (stored.state !== 'executing') return;
  await commitRecorded(context, async (trx) => {
    if (!(await moveProposal(trx, id, ['executing'], 'failed', { at: context.now(), code })))
      throw stateError(await findProposal(trx, id));
    return { kind: 'proposal-ended', facts: { proposal: id, state: 'failed', code }, result: undefined };
  });
}
