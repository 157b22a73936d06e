/**
 * Checks of Confidential Space tokens that a policy may waive by name.
 *
 * - GCS_DEBUG: a debug image lets its operator log in and read everything.
 */
export const gcpConfidentialSpaceWaivableChecks = Object.freeze(['GCS_DEBUG'] as const);
