/**
 * Checks of SGX evidence that a policy may waive by name, beside those of Intel's collateral.
 *
 * - SGX_DEBUG_ALLOWED: the host reads and writes the memory of the enclave; nothing is confidential.
 */
export const sgxWaivableChecks = Object.freeze(['SGX_DEBUG_ALLOWED'] as const);
