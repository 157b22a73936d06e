/**
 * Checks of SEV-SNP evidence that a policy may waive by name.
 *
 * - SNP_CRL_MISSING: a host that withholds the CRL can pass off revoked keys.
 * - SNP_CRL_EXPIRED: a host can replay a CRL from before a revocation.
 * - SNP_DEBUG_ALLOWED: the host reads and writes the guest's memory; nothing is confidential.
 * - SNP_MIGRATION_ALLOWED: a migration agent decides where the guest runs next.
 * - SNP_VLEK_CHIP_ID: the chip id that came with the report is ignored, as no VLEK certifies it.
 */
export const snpWaivableChecks = Object.freeze([
  'SNP_CRL_MISSING',
  'SNP_CRL_EXPIRED',
  'SNP_DEBUG_ALLOWED',
  'SNP_MIGRATION_ALLOWED',
  'SNP_VLEK_CHIP_ID',
] as const);

export type SnpWaivableCheck = (typeof snpWaivableChecks)[number];
