import {
  AFFIRMING,
  APPROVED_BOOT,
  debuggable,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { ArmPsaWaivableCheck } from './waivable.ts';

/**
 * What a verdict on a PSA token supports (RFC 9783, section 8.1): a device, its hardware and its firmware that somebody whom
 * the policy names vouches for. The firmware was measured when it booted. The architecture isolates memory and does not ask
 * for its encryption, so nothing is claimed about memory and storage.
 */
const vector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
});

/** A debugger changes what was measured after it was measured. */
const waiverEffects: Readonly<Record<ArmPsaWaivableCheck, TrustworthinessVector>> = Object.freeze({
  PSA_DEBUG: debuggable,
});

/** What PSA tokens contribute to attestation results. */
export const armPsaTrustworthiness: Trustworthiness = Object.freeze({ vectorOf: () => vector, waiverEffects });
