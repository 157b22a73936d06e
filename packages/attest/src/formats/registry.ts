import { SIMULATED_SNP_EVIDENCE_TYPE, SNP_ENDORSEMENTS_TYPE, SNP_EVIDENCE_TYPE } from '../media-types.ts';
import type { EvidenceFormat } from './format.ts';
import { verify } from './snp/verify.ts';

/** The kinds of evidence that can be verified. Below this table nothing switches on the kind. */
export const evidenceFormats: readonly EvidenceFormat[] = Object.freeze([
  Object.freeze({
    tee: 'sev-snp',
    evidenceTypes: Object.freeze([SNP_EVIDENCE_TYPE, SIMULATED_SNP_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([SNP_ENDORSEMENTS_TYPE]),
    verify,
  }),
]);
