/** AMD SEV-SNP: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { parseCertTable, type CertTable } from './cert-table.ts';
export { snpEvidenceFromExtendedReport, snpEvidenceFromTsm, type CollectedEvidence } from './collect.ts';
export {
  decodeSnpEndorsements,
  decodeSnpEvidence,
  encodeSnpEndorsements,
  encodeSnpEvidence,
  type SnpEndorsements,
  type SnpEvidence,
} from './evidence.ts';
export { REPORT_BYTES, REPORT_VERSIONS, reportLayout, SIGNED_BYTES, type Field } from './layout.ts';
export { parse } from './parse.ts';
export { snpProducts, type SnpProduct, type TcbByte, type TcbComponent } from './products.ts';
export type { GuestPolicy, PlatformInfo, SnpReport } from './report.ts';
export type { AuthenticReport, ParsedReport } from './stages.ts';
export { readTsm, type TsmReport } from './tsm.ts';
