import {
  confidentialVector,
  debuggable,
  unrevoked,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { Claims } from '../../claims/claims.ts';

/** What a TCB that is not up to date leaves, even where the policy accepts it. */
const outdated: TrustworthinessVector = Object.freeze({
  ...confidentialVector,
  hardware: WARNING,
  'runtime-opaque': WARNING,
});

/** What TDX and SGX contribute to attestation results. */
export const dcapTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: (claims: Claims) => {
    const upToDate = 'tcb' in claims && 'status' in claims.tcb && claims.tcb.status === 'UpToDate';
    return upToDate ? confidentialVector : outdated;
  },
  waiverEffects: Object.freeze({
    DCAP_CRL_MISSING: unrevoked,
    DCAP_CRL_EXPIRED: unrevoked,
    DCAP_TCB_INFO_OUTDATED: outdated,
    TDX_DEBUG_ALLOWED: debuggable,
    SGX_DEBUG_ALLOWED: debuggable,
  }),
});
