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
 * What a verdict on Intel evidence supports: a platform that Intel vouches for and has not revoked; a configuration and a
 * measurement that the policy names, which cover booting and not what is loaded later; memory that the host cannot read. Of
 * the hardware, what the TCB status allows: anything but up to date is a warning, even where the policy accepts it.
 */
function vectorOf(upToDate: boolean): TrustworthinessVector {
  return {
    'instance-identity': AFFIRMING,
    configuration: AFFIRMING,
    executables: APPROVED_BOOT,
    hardware: upToDate ? AFFIRMING : WARNING,
    'runtime-opaque': upToDate ? AFFIRMING : WARNING,
  };
}

const debuggable: TrustworthinessVector = Object.freeze({
  configuration: CONTRAINDICATED,
  'runtime-opaque': CONTRAINDICATED,
  executables: CONTRAINDICATED,
});
const unrevoked: TrustworthinessVector = Object.freeze({ 'instance-identity': WARNING, hardware: WARNING });

/** What TDX and SGX contribute to attestation results. */
export const dcapTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: (claims: Claims) => vectorOf('tcb' in claims && 'status' in claims.tcb && claims.tcb.status === 'UpToDate'),
  waiverEffects: Object.freeze({
    DCAP_CRL_MISSING: unrevoked,
    DCAP_CRL_EXPIRED: unrevoked,
    TDX_DEBUG_ALLOWED: debuggable,
    SGX_DEBUG_ALLOWED: debuggable,
  }),
});
