import { FastnessError } from '@fastness/codec/errors';
import { governed } from '../lifecycle/tables.ts';
import { parseBrokerPolicy, type ParsedBrokerPolicy } from '../policy.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { parseMembership, type Quorum } from './membership.ts';
import { findProposal, readApprovals } from './proposals.ts';
import { readProposal, type ProposedAction } from './proposal.ts';
import { requireQuorum } from './verify-approval.ts';

/**
 * The memberships of a quorum from the configured one to the one in force, each verified as approved by the one before:
 * whoever can write the database cannot name new members. Throws `QUORUM_CHAIN_BROKEN`.
 */
export async function loadQuorums(db: BrokerDatabase, genesis: Quorum, broker: string): Promise<Quorum[]> {
  const rows = await governed(db).selectFrom('memberships').selectAll().orderBy('generation').execute();
  const quorums = [genesis];
  let last = genesis;
  for (const row of rows) {
    if (row.generation !== last.generation + 1) throw broken(`Membership ${row.generation}.`);
    const { action } = await approvedAction(db, row.proposal_id, last, broker);
    if (action.kind !== 'quorum') throw broken(`Membership ${row.generation}.`);
    // Read from what was approved, not from the row.
    last = await parseMembership(action.membership, row.generation);
    quorums.push(last);
  }
  return quorums;
}

/**
 * The policy in force: the newest in the database, or the configured one. With a quorum, verified as approved by the
 * membership that its proposal names. Throws `QUORUM_CHAIN_BROKEN`.
 */
export async function loadPolicy(
  db: BrokerDatabase,
  quorums: readonly Quorum[] | undefined,
  broker: string,
): Promise<{ readonly generation: number; readonly policy: ParsedBrokerPolicy } | undefined> {
  let query = governed(db).selectFrom('policies').selectAll();
  // Policies that an administrator set alone, before there was a quorum, end with it.
  if (quorums !== undefined) query = query.where('proposal_id', 'is not', null);
  const row = await query.orderBy('generation', 'desc').limit(1).executeTakeFirst();
  if (row === undefined) return undefined;
  if (row.proposal_id === null) {
    return { generation: row.generation, policy: parseBrokerPolicy(JSON.parse(row.policy)) };
  }
  if (quorums === undefined) throw broken('The configuration names no quorum, and the policy in force was set by one.');
  const stored = await findProposal(db, row.proposal_id);
  const { proposal } = readProposal(stored.document, stored.payload);
  const quorum = quorums[proposal.quorum.generation];
  if (quorum === undefined) throw broken(`Policy ${row.generation}.`);
  const { action } = await approvedAction(db, row.proposal_id, quorum, broker);
  if (action.kind !== 'policy') throw broken(`Policy ${row.generation}.`);
  return { generation: row.generation, policy: parseBrokerPolicy(action.policy) };
}

async function approvedAction(
  db: BrokerDatabase,
  proposalId: string,
  quorum: Quorum,
  broker: string,
): Promise<{ readonly action: ProposedAction }> {
  try {
    const stored = await findProposal(db, proposalId);
    const { proposal, digest, action } = readProposal(stored.document, stored.payload);
    if (proposal.id !== proposalId || proposal.broker !== broker) throw broken(`Proposal ${proposalId}.`);
    if (proposal.quorum.generation !== quorum.generation || proposal.quorum.digest !== quorum.digest)
      throw broken(`Proposal ${proposalId} was made for another quorum.`);
    await requireQuorum(quorum, digest, await readApprovals(db, proposalId));
    return { action };
  } catch (cause) {
    if (cause instanceof FastnessError && cause.class === 'unavailable') throw cause;
    throw cause instanceof FastnessError && cause.code === 'QUORUM_CHAIN_BROKEN'
      ? cause
      : new FastnessError('QUORUM_CHAIN_BROKEN', `Proposal ${proposalId}.`, { cause });
  }
}

function broken(detail: string): FastnessError {
  return new FastnessError('QUORUM_CHAIN_BROKEN', detail);
}
