/**
 * Checks that a policy may waive by name. The set is short on purpose: a check is in it only where a legitimate
 * deployment can lack what the check needs (no network path to the CRL, a debugging session, a provider that does not
 * mask chip ids). Forgery, damage and mismatch can never be waived; what a policy field expresses needs no waiver.
 *
 * - SNP_CRL_MISSING: a host that withholds the CRL can pass off revoked keys.
 * - SNP_CRL_EXPIRED: a host can replay a CRL from before a revocation.
 * - SNP_DEBUG_ALLOWED: the host reads and writes the guest's memory; nothing is confidential.
 * - SNP_MIGRATION_ALLOWED: a migration agent decides where the guest runs next.
 * - SNP_VLEK_CHIP_ID: the chip id that came with the report is ignored, as no VLEK certifies it.
 */
export const waivableChecks = Object.freeze([
  'SNP_CRL_MISSING',
  'SNP_CRL_EXPIRED',
  'SNP_DEBUG_ALLOWED',
  'SNP_MIGRATION_ALLOWED',
  'SNP_VLEK_CHIP_ID',
] as const);

export type WaivableCheck = (typeof waivableChecks)[number];

/** A waiver as a policy states it. */
export interface Waiver {
  readonly check: WaivableCheck;
  /** Why the check is waived; ends up in the attestation result for its reader. */
  readonly reason: string;
}

/** A waiver that let evidence pass that would have been refused. A waiver that was not needed is not reported. */
export interface AppliedWaiver extends Waiver {
  /** What the check would have required. */
  readonly expected: string;
  /** What the evidence held instead. */
  readonly actual: string;
}
