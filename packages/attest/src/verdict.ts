import type { Checklist, CheckRecord } from './checks.ts';
import type { Claims } from './claims/claims.ts';
import type { AppliedWaiver } from './waivers.ts';

/** The outcome of a verification that found nothing to refuse. There is no negative verdict: refusals are thrown. */
export interface AttestationVerdict {
  readonly claims: Claims;
  /** Waivers without which the evidence would have been refused. Show them wherever the verdict is shown. */
  readonly waivers: readonly AppliedWaiver[];
  /** Every check, in the order it ran, and what it compared. */
  readonly checks: readonly CheckRecord[];
  /** Name of the policy that was applied. */
  readonly policyId: string;
}

/** What a policy accepts: the claims, and what the checks found on the way to them. */
export function verdictOf(claims: Claims, found: Checklist, { id }: { readonly id: string }): AttestationVerdict {
  const { waivers, checks } = found.results();
  return Object.freeze({ claims, waivers, checks, policyId: id });
}

/**
 * The outcome for a collection: what holds for the whole, as of one piece of evidence, and each part. `claims` are those of
 * the processor; `waivers` and `checks` are those of every part, and name it.
 */
export interface CompositeVerdict extends AttestationVerdict {
  /** By label: cpu0, gpu0, ... Each as if it had been verified by itself. */
  readonly parts: Readonly<Record<string, AttestationVerdict>>;
}

export function isCompositeVerdict(verdict: AttestationVerdict): verdict is CompositeVerdict {
  return 'parts' in verdict;
}
