import {
  confidentialVector,
  debuggable,
  simulatedVector,
  unrevoked,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { Claims } from '../../claims/claims.ts';
import type { SnpWaivableCheck } from './waivable.ts';

/** What a waiver takes away. A guest that may migrate ends up where an agent says. */
const waiverEffects: Readonly<Record<SnpWaivableCheck, TrustworthinessVector>> = Object.freeze({
  SNP_CRL_MISSING: unrevoked,
  SNP_CRL_EXPIRED: unrevoked,
  SNP_DEBUG_ALLOWED: debuggable,
  SNP_MIGRATION_ALLOWED: { configuration: WARNING },
  SNP_VLEK_CHIP_ID: {},
});

/**
 * What SEV-SNP contributes to attestation results: a chip or provider that AMD vouches for and has not revoked, at or above the
 * floors. Files, storage and data sources are not claimed.
 */
export const snpTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: (claims: Claims) => (claims.simulated ? simulatedVector : confidentialVector),
  waiverEffects,
});
