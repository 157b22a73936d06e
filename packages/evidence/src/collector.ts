import { roleOf, type Cmw, type Tee } from '@fastness/attest';
import type { RuntimeEvent } from '@fastness/attest/event-log';
import { FastnessError } from '@fastness/codec/errors';

export type { RuntimeEvent };

/** What a TEE hands out: its evidence, and what a verifier needs to check it. Nothing of it has been verified. */
export interface CollectedEvidence {
  readonly evidence: Cmw;
  readonly endorsements: Cmw[];
}

/** Collects evidence from one device of this machine. */
export interface Collector {
  /** For logs and health pages, for instance `simulated-sev-snp`. */
  readonly name: string;
  /** What the evidence is of. */
  readonly tee: Tee;
  /** True when no hardware stands behind the evidence. Show it wherever the evidence is shown. */
  readonly simulated: boolean;
  /** Whether the device is there; never throws for its absence. */
  detect(): Promise<{ present: boolean; detail: string }>;
  /**
   * Asks for evidence over report data, or a nonce: as many bytes as `roleOf(tee).boundBytes`, made by `reportDataFor` or
   * `deviceNonceOf` of `@fastness/attest`. `collectSession` does both.
   * @throws EVIDENCE_REPORT_DATA, EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE, and the codes of the device
   */
  collect(reportData: Uint8Array): Promise<CollectedEvidence>;
  /**
   * Extends a register that evidence states, for good, and keeps the event for the log that goes with the evidence. Absent
   * where the device has no such register or this collector does not use it.
   */
  readonly extend?: (event: RuntimeEvent) => Promise<void>;
  /** Ends extending, for good: a further event is refused. Absent where the device cannot. */
  readonly lock?: () => Promise<void>;
}

/** Throws EVIDENCE_REPORT_DATA unless the bytes are as many as evidence of the kind binds. */
export function requireReportData(tee: Tee, reportData: Uint8Array): void {
  const { boundBytes } = roleOf(tee);
  if (reportData instanceof Uint8Array && reportData.length === boundBytes) return;
  throw new FastnessError('EVIDENCE_REPORT_DATA', `${reportData.length} bytes; ${tee} takes ${boundBytes}.`);
}
