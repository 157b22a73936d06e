/**
 * Checks of Azure Attestation tokens that a policy may waive by name.
 *
 * - MAA_DEBUG: the host reads and writes the memory; nothing is confidential.
 * - MAA_MIGRATION: an agent that the host chooses may take the guest to another machine.
 */
export const azureMaaWaivableChecks = Object.freeze(['MAA_DEBUG', 'MAA_MIGRATION'] as const);
