/**
 * Checks of Intel Trust Authority tokens that a policy may waive by name.
 *
 * - ITA_DEBUG: the host reads and writes the memory; nothing is confidential.
 */
export const intelTrustAuthorityWaivableChecks = Object.freeze(['ITA_DEBUG'] as const);
