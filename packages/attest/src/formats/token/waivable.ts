/**
 * Checks of tokens of every service that a policy may waive by name.
 *
 * - TOKEN_CRL_MISSING: an authority above the key that signed may have been revoked.
 */
export const tokenWaivableChecks = Object.freeze(['TOKEN_CRL_MISSING'] as const);
