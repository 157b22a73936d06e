import {
  AFFIRMING,
  APPROVED_BOOT,
  CONTRAINDICATED,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { ArmCcaWaivableCheck } from './waivable.ts';

/**
 * What a verdict on a CCA token supports: a platform that somebody whom the policy names vouches for, firmware in a known
 * state, a realm whose initial measurement the policy names, and memory that neither host nor hypervisor can read.
 */
const vector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'runtime-opaque': AFFIRMING,
});

const waiverEffects: Readonly<Record<ArmCcaWaivableCheck, TrustworthinessVector>> = Object.freeze({
  CCA_DEBUG: { configuration: CONTRAINDICATED, executables: CONTRAINDICATED, 'runtime-opaque': CONTRAINDICATED },
  CCA_REFERENCE_MISSING: { configuration: WARNING, executables: WARNING, hardware: WARNING, 'runtime-opaque': WARNING },
});

/** What CCA tokens contribute to attestation results. */
export const armCcaTrustworthiness: Trustworthiness = Object.freeze({ vectorOf: () => vector, waiverEffects });
