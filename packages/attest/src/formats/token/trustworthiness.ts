import {
  AFFIRMING,
  APPROVED_BOOT,
  CONTRAINDICATED,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { Claims } from '../../claims/claims.ts';

/**
 * What the word of an attestation service supports: it says that hardware it accepts runs what the policy names. The tiers
 * are those of the service's own appraisal; `sourced-data` and the rest are not spoken of. Whoever reads the result must
 * trust the service named in its claims as a verifier.
 */
const vector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'runtime-opaque': AFFIRMING,
});

const open: TrustworthinessVector = Object.freeze({
  configuration: CONTRAINDICATED,
  executables: CONTRAINDICATED,
  'runtime-opaque': CONTRAINDICATED,
});

/** Nobody looked whether the authority above the service's key was revoked. */
const unrevoked: TrustworthinessVector = Object.freeze({ 'instance-identity': WARNING, hardware: WARNING });

/** The vector of a service; a waiver of any of its own checks takes confidentiality away. */
export function tokenTrustworthiness(
  waivable: readonly string[],
  adjust: (claims: Claims) => TrustworthinessVector = () => ({}),
): Trustworthiness {
  return Object.freeze({
    vectorOf: (claims: Claims) => ({ ...vector, ...adjust(claims) }),
    waiverEffects: Object.freeze({
      ...Object.fromEntries(waivable.map((check) => [check, open])),
      TOKEN_CRL_MISSING: unrevoked,
    }),
  });
}
