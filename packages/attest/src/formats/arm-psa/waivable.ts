/**
 * Checks of PSA tokens that a policy may waive by name.
 *
 * - PSA_DEBUG: debugging is enabled outside the root of trust, so whoever holds the device sees and changes everything there.
 */
export const armPsaWaivableChecks = Object.freeze(['PSA_DEBUG'] as const);

export type ArmPsaWaivableCheck = (typeof armPsaWaivableChecks)[number];
