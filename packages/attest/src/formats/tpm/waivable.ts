/**
 * Checks of the certificates of attestation keys that a policy may waive by name; nothing of a quote itself can be waived.
 *
 * - TPM_AK_CRL_MISSING: a host that withholds a revocation list can pass off the certificates of a revoked authority.
 * - TPM_AK_CRL_EXPIRED: a host can replay a list from before a revocation.
 */
export const tpmWaivableChecks = Object.freeze(['TPM_AK_CRL_MISSING', 'TPM_AK_CRL_EXPIRED'] as const);

export type TpmWaivableCheck = (typeof tpmWaivableChecks)[number];
