import type { Cmw } from '../../cmw.ts';
import { encodeSnpEndorsements, encodeSnpEvidence } from './evidence.ts';
import { readTsm, splitExtendedReport, type TsmReport } from './tsm.ts';

/** What a collector hands on: evidence, and what came with it. */
export interface CollectedEvidence {
  readonly evidence: Cmw;
  readonly endorsements: Cmw[];
}

/** What Linux's configfs-tsm gives, as evidence and endorsements. Throws SNP_CERT_TABLE_MALFORMED. */
export function snpEvidenceFromTsm(tsm: TsmReport): CollectedEvidence {
  const { report, certificates, crls } = readTsm(tsm);
  return {
    evidence: encodeSnpEvidence({ report, certificates }),
    endorsements: crls.length === 0 ? [] : [encodeSnpEndorsements({ crls })],
  };
}

/**
 * An extended report - the report, followed at once by its certificate table - as evidence and endorsements.
 * Throws SNP_REPORT_SIZE, SNP_CERT_TABLE_MALFORMED.
 */
export function snpEvidenceFromExtendedReport(bytes: Uint8Array): CollectedEvidence {
  return snpEvidenceFromTsm(splitExtendedReport(bytes));
}
