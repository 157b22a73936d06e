/**
 * Checks of TDX evidence that a policy may waive by name, beside those of Intel's collateral.
 *
 * - TDX_DEBUG_ALLOWED: the host reads and writes the memory of the TD; nothing is confidential.
 */
export const tdxWaivableChecks = Object.freeze(['TDX_DEBUG_ALLOWED'] as const);
