/**
 * Checks of CCA tokens that a policy may waive by name.
 *
 * - CCA_DEBUG: debugging is enabled outside the platform's root of trust, so whoever debugs the RMM sees into the realm.
 * - CCA_REFERENCE_MISSING: no vendor publishes reference values for the firmware, so nobody knows what the RMM and what runs
 *   beneath it does. Firmware that is not a known state is refused all the same.
 */
export const armCcaWaivableChecks = Object.freeze(['CCA_DEBUG', 'CCA_REFERENCE_MISSING'] as const);

export type ArmCcaWaivableCheck = (typeof armCcaWaivableChecks)[number];
