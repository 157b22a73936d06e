import { FastnessError } from '@fastness/codec/errors';
import type { BrokerContext } from '../context.ts';
import type { ParsedBrokerPolicy } from '../policy.ts';
import { loadPolicy, loadQuorums } from '../quorum/chain.ts';
import { parseMembership } from '../quorum/membership.ts';
import { asStoreError, type BrokerDatabase } from '../store/index.ts';
import type { Governance } from './governance.ts';
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
}): Promise<Governance> {
  const governance: Governance = {
    options: options.lifecycle,
    quorumOptions: options.quorum,
    signer: options.signer,
    configured: options.policy,
    acceptPolicy: options.acceptPolicy,
    policy: options.policy,
    policyGeneration: 0,
    quorum: options.quorum === undefined ? undefined : await parseMembership(options.quorum.membership, 0),
  };
  await reload(governance, options.db);
  return governance;
}

/** The last membership and policy that the database has, whether they count or not. */
export async function generations(db: BrokerDatabase): Promise<{ membership: number; policy: number }> {
  const membership = await governed(db)
    .selectFrom('memberships')
    .select((expression) => expression.fn.max('generation').as('last'))
    .executeTakeFirst();
  const policy = await governed(db)
    .selectFrom('policies')
    .select((expression) => expression.fn.max('generation').as('last'))
    .executeTakeFirst();
  return { membership: membership?.last ?? 0, policy: policy?.last ?? 0 };
}

/** Takes over what another broker on the same database, or a proposal, has changed. Throws `QUORUM_CHAIN_BROKEN`. */
export async function refreshGovernance(context: Pick<BrokerContext, 'db' | 'governance'>): Promise<void> {
  const { governance, db } = context;
  if (governance === undefined) return;
  const last = await asStoreError(() => generations(db));
  if (last.membership < (governance.quorum?.generation ?? 0) || last.policy < governance.policyGeneration) {
    throw new FastnessError('QUORUM_CHAIN_BROKEN', 'The database went back while the broker ran.');
  }
  const sameQuorum = governance.quorum === undefined || last.membership === governance.quorum.generation;
  if (sameQuorum && last.policy === governance.policyGeneration) return;
  await reload(governance, db);
}

async function reload(governance: Governance, db: BrokerDatabase): Promise<void> {
  await asStoreError(async () => {
    const broker = governance.signer.keyId;
    let quorums;
    if (governance.quorumOptions !== undefined) {
      const genesis = await parseMembership(governance.quorumOptions.membership, 0);
      quorums = await loadQuorums(db, genesis, broker);
    }
    const found = await loadPolicy(db, quorums, broker);
    const policy = found?.policy ?? governance.configured;
    governance.acceptPolicy(policy);
    governance.quorum = quorums?.at(-1);
    governance.policy = policy;
    // The last one that there is, also when it does not count: it need not be read again.
    governance.policyGeneration = (await generations(db)).policy;
  });
}

/** Throws `BROKER_INTERNAL` where there is none: only parts of a broker in tests have none. */
export function requireGovernance({ governance }: Pick<BrokerContext, 'governance'>): Governance {
  if (governance === undefined) throw new FastnessError('BROKER_INTERNAL', 'No governance.');
  return governance;
}
