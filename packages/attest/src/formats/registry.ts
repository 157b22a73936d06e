import { SNP_ENDORSEMENTS_TYPE } from '../media-types.ts';
import type { EvidenceFormat } from './format.ts';
import { snpEvidenceTypes } from './snp/evidence.ts';
import { snpTrustworthiness } from './snp/trustworthiness.ts';
import { verify } from './snp/verify.ts';

/** The kinds of evidence that can be verified. Below this table nothing switches on the kind. */
export const evidenceFormats: readonly EvidenceFormat[] = Object.freeze([
  Object.freeze({
    tee: 'sev-snp',
    evidenceTypes: snpEvidenceTypes,
    endorsementTypes: Object.freeze([SNP_ENDORSEMENTS_TYPE]),
    trustworthiness: snpTrustworthiness,
    verify,
  }),
]);
