import { randomBytes } from 'node:crypto';
import { toBase64Url } from '@fastness/codec/bytes';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Selectable } from 'kysely';
import { governed, type GovernanceTables, type ProposalState } from '../lifecycle/tables.ts';
import type { BrokerDatabase } from '../store/index.ts';
import type { Quorum } from './membership.ts';
import { readProposal, type ProposalDocument, type ProposedAction } from './proposal.ts';
import { proofSchema, type StoredApproval } from './verify-approval.ts';

export type StoredProposal = Selectable<GovernanceTables['proposals']>;
export type ProposalApproval = Selectable<GovernanceTables['proposal_approvals']>;

/** States from which a proposal can still get somewhere. */
export const openStates: readonly ProposalState[] = Object.freeze(['pending', 'approved', 'executing']);

/** Stores a new proposal with a challenge for every registered key. */
export async function insertProposal(db: BrokerDatabase, made: ProposalDocument, quorum: Quorum): Promise<void> {
  const { proposal, document, payload } = made;
  await governed(db)
    .insertInto('proposals')
    .values({
      proposal_id: proposal.id,
      document,
      payload,
      state: 'pending',
      created_at: proposal.createdAt,
      expires_at: proposal.expiresAt,
      decided_at: null,
      code: null,
    })
    .execute();
  const challenges = [...quorum.keys.keys()].map((keyId) => ({
    proposal_id: proposal.id,
    key_id: keyId,
    nonce: toBase64Url(randomBytes(32)),
  }));
  await governed(db).insertInto('proposal_challenges').values(challenges).execute();
}

/** Throws `PROPOSAL_UNKNOWN`. */
export async function findProposal(db: BrokerDatabase, id: string): Promise<StoredProposal> {
  const row = await governed(db).selectFrom('proposals').selectAll().where('proposal_id', '=', id).executeTakeFirst();
  if (row === undefined) throw new FastnessError('PROPOSAL_UNKNOWN');
  return row;
}

/** Newest first. */
export async function listProposals(
  db: BrokerDatabase,
  options: { readonly limit: number; readonly open: boolean },
): Promise<StoredProposal[]> {
  let query = governed(db).selectFrom('proposals').selectAll();
  if (options.open) query = query.where('state', 'in', [...openStates]);
  return await query.orderBy('created_at', 'desc').orderBy('proposal_id').limit(options.limit).execute();
}

/** Throws `QUORUM_KEY_UNKNOWN` when this key has no challenge for the proposal. */
export async function findChallenge(db: BrokerDatabase, id: string, keyId: string): Promise<string> {
  const row = await governed(db)
    .selectFrom('proposal_challenges')
    .select('nonce')
    .where('proposal_id', '=', id)
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  if (row === undefined) throw new FastnessError('QUORUM_KEY_UNKNOWN');
  return row.nonce;
}

export async function listChallenges(db: BrokerDatabase, id: string): Promise<{ key_id: string; nonce: string }[]> {
  return await governed(db)
    .selectFrom('proposal_challenges')
    .select(['key_id', 'nonce'])
    .where('proposal_id', '=', id)
    .orderBy('key_id')
    .execute();
}

/** Throws `QUORUM_ALREADY_APPROVED` when the member has a vote on it, by whichever key. */
export async function insertApproval(db: BrokerDatabase, approval: ProposalApproval): Promise<void> {
  const { numInsertedOrUpdatedRows } = await governed(db)
    .insertInto('proposal_approvals')
    .values(approval)
    .onConflict((conflict) => conflict.columns(['proposal_id', 'member']).doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows !== 1n) throw new FastnessError('QUORUM_ALREADY_APPROVED', approval.member);
}

export async function listApprovals(db: BrokerDatabase, id: string): Promise<ProposalApproval[]> {
  return await governed(db)
    .selectFrom('proposal_approvals')
    .selectAll()
    .where('proposal_id', '=', id)
    .orderBy('approved_at')
    .execute();
}

/** The approvals of a proposal as they are verified. What cannot be read throws `QUORUM_CHAIN_BROKEN`. */
export async function readApprovals(db: BrokerDatabase, id: string): Promise<StoredApproval[]> {
  const nonces = new Map((await listChallenges(db, id)).map(({ key_id, nonce }) => [key_id, nonce]));
  return (await listApprovals(db, id)).map(({ key_id, proof }) => {
    const nonce = nonces.get(key_id);
    const parsed = proofSchema.safeParse(parseOrUndefined(proof));
    if (nonce === undefined || !parsed.success) throw new FastnessError('QUORUM_CHAIN_BROKEN', `Proposal ${id}.`);
    return { keyId: key_id, nonce, proof: parsed.data };
  });
}

/** Moves a proposal on; false when it was in none of the states `from`. The comparison is part of the update. */
export async function moveProposal(
  db: BrokerDatabase,
  id: string,
  from: readonly ProposalState[],
  to: ProposalState,
  ended?: { readonly at: Date; readonly code?: string },
): Promise<boolean> {
  const { numUpdatedRows } = await governed(db)
    .updateTable('proposals')
    .set({
      state: to,
      ...(ended === undefined ? {} : { decided_at: ended.at.toISOString(), code: ended.code ?? null }),
    })
    .where('proposal_id', '=', id)
    .where('state', 'in', [...from])
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Ends all other proposals that are still open, or those of one action, with the code that says why. */
export async function endOthers(
  db: BrokerDatabase,
  proposal: string,
  ended: { readonly at: Date; readonly code: ErrorCode; readonly action?: ProposedAction['kind'] },
): Promise<void> {
  const { at, code, action } = ended;
  const open = await governed(db)
    .selectFrom('proposals')
    .selectAll()
    .where('state', 'in', [...openStates])
    .where('proposal_id', '!=', proposal)
    .execute();
  for (const { proposal_id: id, document, payload } of open) {
    if (action !== undefined && readProposal(document, payload).proposal.action !== action) continue;
    await moveProposal(db, id, openStates, 'cancelled', { at, code });
  }
}

/**
 * Raises the signature counter of a WebAuthn key. Authenticators without a counter always say 0; otherwise it must rise.
 * Throws `QUORUM_WEBAUTHN_COUNTER`.
 */
export async function raiseCounter(db: BrokerDatabase, keyId: string, counter: number): Promise<void> {
  const row = await governed(db)
    .selectFrom('quorum_counters')
    .select('counter')
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  const before = row?.counter ?? 0;
  if (counter <= before && (counter !== 0 || before !== 0)) {
    throw new FastnessError('QUORUM_WEBAUTHN_COUNTER', `${counter}, after ${before}.`);
  }
  await governed(db)
    .insertInto('quorum_counters')
    .values({ key_id: keyId, counter })
    .onConflict((conflict) => conflict.column('key_id').doUpdateSet({ counter }))
    .execute();
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
