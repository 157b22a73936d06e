import {
  AFFIRMING,
  APPROVED_BOOT,
  CONTRAINDICATED,
  simulatedVector,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { Claims } from '../../claims/claims.ts';
import type { SnpWaivableCheck } from './waivable.ts';

/**
 * What a verdict on SEV-SNP supports: a chip or provider that AMD vouches for and has not revoked; a configuration that
 * the policy names; a launch measurement that the policy names, which covers booting and not what is loaded later; genuine
 * hardware at or above the floors; memory that the host cannot read. Files, storage and data sources are not claimed.
 */
const genuineVector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'runtime-opaque': AFFIRMING,
});

/**
 * What a waiver takes away. Without a current revocation list nobody knows whether the identity and the hardware behind it
 * are still good. A guest that may be debugged is open to the host. One that may migrate ends up where an agent says.
 */
const waiverEffects: Readonly<Record<SnpWaivableCheck, TrustworthinessVector>> = Object.freeze({
  SNP_CRL_MISSING: { 'instance-identity': WARNING, hardware: WARNING },
  SNP_CRL_EXPIRED: { 'instance-identity': WARNING, hardware: WARNING },
  SNP_DEBUG_ALLOWED: {
    configuration: CONTRAINDICATED,
    'runtime-opaque': CONTRAINDICATED,
    executables: CONTRAINDICATED,
  },
  SNP_MIGRATION_ALLOWED: { configuration: WARNING },
  SNP_VLEK_CHIP_ID: {},
});

/** What SEV-SNP contributes to attestation results. */
export const snpTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: (claims: Claims) => (claims.simulated ? simulatedVector : genuineVector),
  waiverEffects,
});
