import { followOwnerRoots } from '@fastness/model/release';
import type { ParsedBrokerPolicy } from '../policy.ts';

/**
 * The owner keys that may sign releases now: those of the policy, or of the last set that follows from them.
 * Throws `OWNER_ROOT_*`; nothing is released under a chain that does not hold, or whose last set has expired.
 */
export async function ownerKeysInForce({ policy, ownerKeys }: ParsedBrokerPolicy, now: Date): Promise<Uint8Array[]> {
  const { ownerRoots } = policy;
  if (ownerRoots === undefined) return [...ownerKeys];
  return [...(await followOwnerRoots({ ...ownerRoots, now })).publicKeys];
}
