import type { Cmw } from '@fastness/attest';

/** What a TEE hands out: its evidence, and what a verifier needs to check it. Nothing of it has been verified. */
export interface CollectedEvidence {
  readonly evidence: Cmw;
  readonly endorsements: Cmw[];
}

/** Collects evidence from one kind of device on this machine. */
export interface Collector {
  /** For logs and health pages, for instance `simulated-sev-snp`. */
  readonly name: string;
  /** True when no hardware stands behind the evidence. Show it wherever the evidence is shown. */
  readonly simulated: boolean;
  /** Whether the device is there; never throws for its absence. */
  detect(): Promise<{ present: boolean; detail: string }>;
  /**
   * Asks for evidence over 64 bytes of report data (`reportDataOf` of `@fastness/attest`).
   * @throws EVIDENCE_REPORT_DATA, EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
   */
  collect(reportData: Uint8Array): Promise<CollectedEvidence>;
}

/** Bytes of report data. */
export const REPORT_DATA_BYTES = 64;
