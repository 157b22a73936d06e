/**
 * Checks of Intel Trust Authority tokens that a policy may waive by name.
 *
 * - ITA_DEBUG: the host reads and writes the memory; nothing is confidential.
 * - ITA_MIGRATION: a service TD that the host chooses may take the TD to another machine.
 */
export const intelTrustAuthorityWaivableChecks = Object.freeze(['ITA_DEBUG', 'ITA_MIGRATION'] as const);
