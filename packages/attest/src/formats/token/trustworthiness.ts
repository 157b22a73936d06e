import {
  confidentialVector,
  debuggable,
  unrevoked,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { Claims } from '../../claims/claims.ts';

/**
 * What the word of an attestation service supports: it says that hardware it accepts runs what the policy names. The tiers are
 * those of the service's own appraisal; `sourced-data` and the rest are not spoken of. Whoever reads the result must trust the
 * service named in its claims as a verifier. A waiver of any of its own checks takes confidentiality away.
 */
export function tokenTrustworthiness(
  waivable: readonly string[],
  adjust: (claims: Claims) => TrustworthinessVector = () => ({}),
): Trustworthiness {
  return Object.freeze({
    vectorOf: (claims: Claims) => ({ ...confidentialVector, ...adjust(claims) }),
    waiverEffects: Object.freeze({
      ...Object.fromEntries(waivable.map((check) => [check, debuggable])),
      TOKEN_CRL_MISSING: unrevoked,
    }),
  });
}
