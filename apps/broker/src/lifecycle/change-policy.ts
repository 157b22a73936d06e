import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { commitRecorded, type BrokerContext, type Recorded } from '../context.ts';
import { brokerPolicySchema, parseBrokerPolicy, type BrokerPolicy } from '../policy.ts';
import { refuseWithoutQuorum } from '../quorum/decide.ts';
import { endOthers } from '../quorum/proposals.ts';
import type { BrokerDatabase } from '../store/index.ts';
import { generations, refreshGovernance, underRulesInForce } from './in-force.ts';
import { governed } from './tables.ts';

/** Body of `PUT /v1/admin/policy`. */
export const policyChangeSchema = z.strictObject({ policy: brokerPolicySchema });

/** Answer to `GET` and `PUT /v1/admin/policy`. Generation 0 is the configured policy. */
export const policyInForceSchema = z.strictObject({
  generation: z.int().nonnegative(),
  digest: z.string(),
  policy: brokerPolicySchema,
});
export type PolicyInForce = z.infer<typeof policyInForceSchema>;

/** Replaces the policy. Where there is a quorum only a proposal does: `QUORUM_REQUIRED`. */
export async function changePolicy(context: BrokerContext, policy: BrokerPolicy): Promise<PolicyInForce> {
  const rules = await underRulesInForce(context);
  refuseWithoutQuorum(rules, 'policy');
  const changed = await commitRecorded(rules, preparePolicy(rules, policy));
  await refreshGovernance(context);
  return changed;
}

/** The change itself, to be made in a transaction. Throws `BROKER_CONFIG_INVALID`. */
export function preparePolicy(
  context: Pick<BrokerContext, 'now' | 'governance'>,
  policy: BrokerPolicy,
  proposal?: string,
): (trx: BrokerDatabase) => Promise<Recorded<'policy-changed', PolicyInForce>> {
  const parsed = parseBrokerPolicy(policy);
  context.governance?.acceptPolicy(parsed);
  refuseOlderOwners(context.governance?.policy.policy, parsed.policy);
  return async (trx) => {
    const generation = (await generations(trx)).policy + 1;
    await governed(trx)
      .insertInto('policies')
      .values({
        generation,
        policy: JSON.stringify(parsed.policy),
        digest: parsed.digest,
        proposal_id: proposal ?? null,
        activated_at: context.now().toISOString(),
      })
      .execute();
    if (proposal !== undefined) {
      // They were approved in place of the policy before, and whoever executes them chooses when.
      await endOthers(trx, proposal, { at: context.now(), code: 'QUORUM_POLICY_CHANGED', action: 'policy' });
    }
    return {
      kind: 'policy-changed',
      facts: {
        generation,
        policyId: parsed.policy.id,
        policyDigest: parsed.digest,
        simulatedTeeAllowed: parsed.policy.attestation.simulated !== undefined,
        ...(proposal === undefined ? {} : { proposal }),
      },
      result: { generation, digest: parsed.digest, policy: parsed.policy },
    };
  };
}

/** Owners only move on: no policy goes back to an earlier set of theirs, or to none. Throws `OWNER_ROOT_VERSION`. */
function refuseOlderOwners(before: BrokerPolicy | undefined, after: BrokerPolicy): void {
  const last = ({ ownerRoots }: BrokerPolicy): number =>
    ownerRoots === undefined ? 0 : ownerRoots.trusted.version + ownerRoots.chain.length;
  if (before !== undefined && last(after) < last(before)) {
    throw new FastnessError('OWNER_ROOT_VERSION', `Version ${last(after)}, after ${last(before)}.`);
  }
}
