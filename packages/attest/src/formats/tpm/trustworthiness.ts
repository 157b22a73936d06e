import {
  AFFIRMING,
  APPROVED_BOOT,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { TpmWaivableCheck } from './waivable.ts';

/**
 * What a verdict on a quote supports: a TPM whose key the policy or the vendor of the cloud vouches for; a configuration and
 * booted software that the policy names. Nothing is said of the hardware beside the TPM, and memory is no better protected
 * than by whatever runs below: a TPM measures how a machine booted and hides nothing from the one who operates it. So the
 * status is `warning` at best.
 */
const vector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  'runtime-opaque': WARNING,
});

/** Without a current revocation list nobody knows whether the authority behind the key is still good. */
export const tpmWaiverEffects: Readonly<Record<TpmWaivableCheck, TrustworthinessVector>> = Object.freeze({
  TPM_AK_CRL_MISSING: { 'instance-identity': WARNING },
  TPM_AK_CRL_EXPIRED: { 'instance-identity': WARNING },
});

/** What quotes of TPMs, physical and virtual, contribute to attestation results. */
export const tpmTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: () => vector,
  waiverEffects: tpmWaiverEffects,
});
