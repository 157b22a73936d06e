/**
 * Checks of Intel's collateral that a policy may waive by name.
 *
 * - DCAP_CRL_MISSING: a host that withholds a revocation list can pass off revoked keys.
 * - DCAP_CRL_EXPIRED: a host can replay a list from before a revocation.
 * - DCAP_TCB_INFO_OUTDATED: TCB info of version 2, which Intel stopped serving: it does not say of which TEE it is, and
 *   nothing newer than its last issue is in it. For samples and archives.
 *
 * Missing or expired TCB info cannot be waived: without it nobody knows what the platform runs.
 */
export const dcapWaivableChecks = Object.freeze([
  'DCAP_CRL_MISSING',
  'DCAP_CRL_EXPIRED',
  'DCAP_TCB_INFO_OUTDATED',
] as const);
