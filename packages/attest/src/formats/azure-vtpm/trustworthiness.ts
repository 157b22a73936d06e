import type { Claims } from '../../claims/claims.ts';
import type { Trustworthiness, TrustworthinessVector } from '../../ear/tiers.ts';
import { dcapTrustworthiness } from '../dcap/trustworthiness.ts';
import { snpTrustworthiness } from '../snp/trustworthiness.ts';
import { tpmTrustworthiness, tpmWaiverEffects } from '../tpm/trustworthiness.ts';

/**
 * What a verdict supports: as much as the hardware does. The quote adds what was booted; the paravisor that made it runs
 * inside the confidential VM and is part of what the hardware measured.
 */
function vectorOf(claims: Claims): TrustworthinessVector {
  if (claims.tee !== 'azure-vtpm') return tpmTrustworthiness.vectorOf(claims);
  const { hardware } = claims;
  const below = hardware.tee === 'sev-snp' ? snpTrustworthiness : dcapTrustworthiness;
  return below.vectorOf(hardware);
}

/** What Azure's confidential VMs contribute to attestation results. */
export const azureVtpmTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf,
  waiverEffects: Object.freeze({
    ...snpTrustworthiness.waiverEffects,
    ...dcapTrustworthiness.waiverEffects,
    ...tpmWaiverEffects,
  }),
});
