/**
 * Checks of NRAS tokens that a policy may waive by name.
 *
 * - NRAS_DEBUG: a device is in debug mode, where its memory can be read.
 */
export const nvidiaNrasWaivableChecks = Object.freeze(['NRAS_DEBUG'] as const);
