import {
  confidentialVector,
  debuggable,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { ArmCcaWaivableCheck } from './waivable.ts';

const waiverEffects: Readonly<Record<ArmCcaWaivableCheck, TrustworthinessVector>> = Object.freeze({
  CCA_DEBUG: debuggable,
  CCA_REFERENCE_MISSING: { configuration: WARNING, executables: WARNING, hardware: WARNING, 'runtime-opaque': WARNING },
});

/**
 * What CCA tokens contribute to attestation results: a platform that somebody whom the policy names vouches for, firmware in a
 * known state.
 */
export const armCcaTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: () => confidentialVector,
  waiverEffects,
});
