/**
 * Checks of Nitro documents that a policy may waive by name.
 *
 * - NITRO_DEBUG: the parent instance reads the enclave's console, and the registers do not say what runs. An instance with
 *   NitroTPM whose PCR0 is zero was not measured at all.
 */
export const nitroWaivableChecks = Object.freeze(['NITRO_DEBUG'] as const);

export type NitroWaivableCheck = (typeof nitroWaivableChecks)[number];
