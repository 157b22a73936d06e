import { confidentialVector, debuggable, type Trustworthiness, type TrustworthinessVector } from '../../ear/tiers.ts';
import type { NitroWaivableCheck } from './waivable.ts';

/**
 * `runtime-opaque`: no other guest reaches the memory, and nothing is claimed against the hypervisor. AR4SI (section 2.3)
 * keeps its affirming value for memory that is opaque to the hypervisor as well, and puts this one among the warnings.
 */
const ISOLATED_BY_HYPERVISOR = 32;

/**
 * What a verdict on a Nitro document supports: a module that AWS vouches for, without revocation; a configuration and a
 * measurement that the policy names, which cover booting and not what is loaded later; genuine AWS hardware; memory that
 * other guests, the parent instance included, cannot read and AWS's hypervisor could. So the status is `warning` at best:
 * relying on it means relying on AWS as an operator, and a reader should decide that knowingly.
 */
const vector: TrustworthinessVector = Object.freeze({
  ...confidentialVector,
  'runtime-opaque': ISOLATED_BY_HYPERVISOR,
});

/** A debug enclave shows its console to the parent instance, and its registers do not say what runs. */
const waiverEffects: Readonly<Record<NitroWaivableCheck, TrustworthinessVector>> = Object.freeze({
  NITRO_DEBUG: debuggable,
});

/** What Nitro documents contribute to attestation results. */
export const nitroTrustworthiness: Trustworthiness = Object.freeze({ vectorOf: () => vector, waiverEffects });
