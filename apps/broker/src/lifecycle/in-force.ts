import { FastnessError } from '@fastness/codec/errors';
import type { BrokerContext } from '../context.ts';
import type { ParsedBrokerPolicy } from '../policy.ts';
import { loadPolicy, loadQuorums } from '../quorum/chain.ts';
import { parseMembership } from '../quorum/membership.ts';
import { asStoreError, type BrokerDatabase } from '../store/index.ts';
import type { Governance, LoggedRules, RulesInForce } from './governance.ts';
import type { LifecycleOptions, QuorumOptions } from './options.ts';
import { governed } from './tables.ts';

/** Reads from the database which policy and which quorum are in force. Throws `QUORUM_CHAIN_BROKEN`, `QUORUM_INVALID`. */
export async function openGovernance(options: {
  readonly db: BrokerDatabase;
  readonly policy: ParsedBrokerPolicy;
  readonly acceptPolicy: Governance['acceptPolicy'];
  readonly lifecycle: LifecycleOptions;
  readonly quorum: QuorumOptions | undefined;
  readonly signer: Governance['signer'];
  readonly logged: LoggedRules;
}): Promise<Governance> {
  const governance: Governance = {
    options: options.lifecycle,
    quorumOptions: options.quorum,
    signer: options.signer,
    configured: options.policy,
    acceptPolicy: options.acceptPolicy,
    policy: options.policy,
    policyGeneration: 0,
    policyProposedAt: undefined,
    membershipGeneration: 0,
    quorum: options.quorum === undefined ? undefined : await parseMembership(options.quorum.membership, 0),
  };
  await reload(governance, options.db, options.logged);
  return governance;
}

/** The last membership and policy that the database has, whether they count or not. */
export async function generations(db: BrokerDatabase): Promise<RulesInForce> {
  const last = await governed(db)
    .selectNoFrom((expression) => [
      expression
        .selectFrom('memberships')
        .select((inner) => inner.fn.max('generation').as('last'))
        .as('membership'),
      expression
        .selectFrom('policies')
        .select((inner) => inner.fn.max('generation').as('last'))
        .as('policy'),
    ])
    .executeTakeFirst();
  return { membership: last?.membership ?? 0, policy: last?.policy ?? 0 };
}

/** Takes over what another broker on the same database, or a proposal, has changed. Throws `QUORUM_CHAIN_BROKEN`. */
export async function refreshGovernance(context: Pick<BrokerContext, 'db' | 'governance'>): Promise<void> {
  const { governance, db } = context;
  if (governance === undefined) return;
  const last = await asStoreError(() => generations(db));
  if (last.membership < governance.membershipGeneration || last.policy < governance.policyGeneration) {
    throw new FastnessError('QUORUM_CHAIN_BROKEN', 'The database went back while the broker ran.');
  }
  if (last.membership === governance.membershipGeneration && last.policy === governance.policyGeneration) return;
  await reload(governance, db);
}

/**
 * What a decision is made with: the rules that are in force now, which do not change under it. Every transaction that
 * records something with the result checks that the database has no newer ones by then, so that a decision under rules
 * that somebody replaced meanwhile, at this broker or at another, comes to nothing. Throws `QUORUM_CHAIN_BROKEN`.
 */
export async function underRulesInForce(context: BrokerContext): Promise<BrokerContext> {
  await refreshGovernance(context);
  const { governance } = context;
  if (governance === undefined) return context;
  const { policy, policyGeneration, membershipGeneration } = governance;
  return { ...context, policy, rules: { membership: membershipGeneration, policy: policyGeneration } };
}

/** In the transaction of a decision. Throws `BROKER_RULES_CHANGED`. */
export async function requireRules(trx: BrokerDatabase, rules: RulesInForce): Promise<void> {
  const { membership, policy } = await generations(trx);
  if (membership !== rules.membership || policy !== rules.policy) throw new FastnessError('BROKER_RULES_CHANGED');
}

/** `logged`: what the log knew at the start; afterwards this process makes the entries itself. */
async function reload(governance: Governance, db: BrokerDatabase, logged?: LoggedRules): Promise<void> {
  await asStoreError(async () => {
    const broker = governance.signer.keyId;
    // Before what it counts: who takes over less than there is by the end does it again.
    const last = await generations(db);
    let quorums;
    if (governance.quorumOptions !== undefined) {
      const genesis = await parseMembership(governance.quorumOptions.membership, 0);
      quorums = await loadQuorums(db, genesis, broker, logged);
    }
    const found = await loadPolicy(db, quorums, broker, logged);
    const policy = found?.policy ?? governance.configured;
    governance.acceptPolicy(policy);
    // All at once, and never back to what a slower reading of earlier found.
    if (last.membership < governance.membershipGeneration || last.policy < governance.policyGeneration) return;
    governance.quorum = quorums?.at(-1);
    governance.policy = policy;
    governance.policyGeneration = last.policy;
    governance.policyProposedAt = found?.proposedAt;
    governance.membershipGeneration = last.membership;
  });
}

/** Throws `BROKER_INTERNAL` where there is none: only parts of a broker in tests have none. */
export function requireGovernance({ governance }: Pick<BrokerContext, 'governance'>): Governance {
  if (governance === undefined) throw new FastnessError('BROKER_INTERNAL', 'No governance.');
  return governance;
}
