import type { BrokerSigner } from '../context.ts';
import type { ParsedBrokerPolicy } from '../policy.ts';
import type { Quorum } from '../quorum/membership.ts';
import type { LifecycleOptions, QuorumOptions } from './options.ts';

/** Which rules a decision was made under: the last membership and policy that the database had. */
export interface RulesInForce {
  readonly membership: number;
  readonly policy: number;
}

/** Which rules the audit log of this broker knows: what came into force, by generation. */
export interface LoggedRules {
  readonly policies: ReadonlyMap<number, { readonly digest: string; readonly proposal: string | undefined }>;
  /** Proposals of the memberships. */
  readonly memberships: ReadonlyMap<number, string>;
  /** Whether nobody else writes the database, so that it holds nothing which is not in this log. */
  readonly all: boolean;
}

/**
 * What changes about a broker's rules while it runs: the policy and the quorum that are in force. Another broker on the
 * same database may change them too, so they are read again before they are used.
 */
export interface Governance {
  readonly options: LifecycleOptions;
  /** Absent: no quorum, and administrators decide alone. */
  readonly quorumOptions: QuorumOptions | undefined;
  readonly signer: Pick<BrokerSigner, 'keyId'>;
  readonly configured: ParsedBrokerPolicy;
  /** Throws for a policy that this broker cannot keep: one that asks for hardware it does not have. */
  readonly acceptPolicy: (policy: ParsedBrokerPolicy) => void;
  /** The policy in force, and how many came before it; 0 is the configured one. */
  policy: ParsedBrokerPolicy;
  policyGeneration: number;
  /** When the proposal of the policy in force was made; undefined where nobody had to propose it. */
  policyProposedAt: string | undefined;
  /** The last membership that the database has, whether it counts here or not. */
  membershipGeneration: number;
  /** The quorum in force; undefined where there is none. */
  quorum: Quorum | undefined;
}
