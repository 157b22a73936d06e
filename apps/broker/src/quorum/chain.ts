import { FastnessError } from '@fastness/codec/errors';
import type { Selectable } from 'kysely';
import type { LoggedRules } from '../lifecycle/governance.ts';
import { governed, type GovernanceTables } from '../lifecycle/tables.ts';
import { parseBrokerPolicy, type ParsedBrokerPolicy } from '../policy.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { digestOf } from './canonical.ts';
import { parseMembership, type Quorum } from './membership.ts';
import { findProposal, readApprovals } from './proposals.ts';
import { readProposal, type ProposedAction } from './proposal.ts';
import { requireQuorum } from './verify-approval.ts';

/**
 * The memberships of a quorum from the configured one to the one in force, each verified as approved by the one before:
 * whoever can write the database cannot name new members. `logged`: and not change which of several approved ones it was.
 * Throws `QUORUM_CHAIN_BROKEN`.
 */
export async function loadQuorums(
  db: BrokerDatabase,
  genesis: Quorum,
  broker: string,
  logged?: LoggedRules,
): Promise<Quorum[]> {
  const rows = await governed(db).selectFrom('memberships').selectAll().orderBy('generation').execute();
  const quorums = [genesis];
  let last = genesis;
  for (const row of rows) {
    if (row.generation !== last.generation + 1) throw broken(`Membership ${row.generation}.`);
    const entry = logged?.memberships.get(row.generation);
    if (entry === undefined ? logged?.all === true : entry !== row.proposal_id)
      throw broken(`Membership ${row.generation} is not the one in the log.`);
    const { action } = await approvedAction(db, row.proposal_id, last, broker);
    if (action.kind !== 'quorum') throw broken(`Membership ${row.generation}.`);
    // Read from what was approved, not from the row.
    last = await parseMembership(action.membership, row.generation);
    quorums.push(last);
  }
  return quorums;
}

/** A policy out of the database. */
interface LoadedPolicy {
  readonly generation: number;
  readonly policy: ParsedBrokerPolicy;
  /** When its proposal was made. */
  readonly proposedAt?: string;
}

/**
 * The policy in force: the newest in the database, or the configured one. With a quorum, verified as approved by the
 * membership that its proposal names. `logged`: and as the one that the log knows, or one that was proposed after it: an approved
 * policy that was replaced, or never executed, does not come back by who writes the database. Throws `QUORUM_CHAIN_BROKEN`.
 */
export async function loadPolicy(
  db: BrokerDatabase,
  quorums: readonly Quorum[] | undefined,
  broker: string,
  logged?: LoggedRules,
): Promise<LoadedPolicy | undefined> {
  let query = governed(db).selectFrom('policies').selectAll();
  // Policies that an administrator set alone, before there was a quorum, end with it.
  if (quorums !== undefined) query = query.where('proposal_id', 'is not', null);
  const rows = await query.orderBy('generation', 'desc').execute();
  const [row] = rows;
  if (row === undefined) return undefined;
  const read = async (each: PolicyRow): Promise<LoadedPolicy> => readPolicy(db, each, quorums, broker);
  const found = await read(row);
  const entries = [...(logged?.policies ?? [])].filter(([, { proposal }]) => quorums === undefined || proposal);
  const [generation, entry] = entries.toSorted(([one], [other]) => other - one)[0] ?? [0];
  if (logged?.all === true && row.generation > generation) throw broken(`Policy ${row.generation} is not in the log.`);
  if (entry === undefined) return found;
  const known = rows.find((each) => each.generation === generation);
  const same =
    entry.proposal === undefined
      ? known?.proposal_id === null && digestOf(known.policy) === entry.digest
      : known?.proposal_id === entry.proposal;
  if (known === undefined || !same) throw broken(`Policy ${generation} is not the one in the log.`);
  if (known !== row && (found.proposedAt ?? '') < ((await read(known)).proposedAt ?? ''))
    throw broken(`Policy ${row.generation} was proposed before policy ${generation}.`);
  return found;
}

type PolicyRow = Selectable<GovernanceTables['policies']>;

async function readPolicy(
  db: BrokerDatabase,
  { generation, policy, proposal_id: id }: PolicyRow,
  quorums: readonly Quorum[] | undefined,
  broker: string,
): Promise<LoadedPolicy> {
  if (id === null) return { generation, policy: parseBrokerPolicy(JSON.parse(policy)) };
  if (quorums === undefined) throw broken('The configuration names no quorum, and the policy in force was set by one.');
  const stored = await findProposal(db, id);
  const { proposal } = readProposal(stored.document, stored.payload);
  const quorum = quorums[proposal.quorum.generation];
  if (quorum === undefined) throw broken(`Policy ${generation}.`);
  const { action } = await approvedAction(db, id, quorum, broker);
  if (action.kind !== 'policy') throw broken(`Policy ${generation}.`);
  return { generation, policy: parseBrokerPolicy(action.policy), proposedAt: proposal.createdAt };
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
