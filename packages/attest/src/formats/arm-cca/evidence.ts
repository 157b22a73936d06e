import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { CCA_TOKEN_TYPE } from '../../media-types.ts';

/** Wraps a CCA token as evidence: the collection as `RSI_ATTESTATION_TOKEN_CONTINUE` returns it. */
export function encodeCcaEvidence(token: Uint8Array): Cmw {
  return { type: CCA_TOKEN_TYPE, value: token, ind: CMW_EVIDENCE };
}

/** Takes a token out of its envelope, as a private copy. Throws ATTEST_EVIDENCE_UNSUPPORTED and CMW errors. */
export function decodeCcaEvidence(cmw: Cmw): Uint8Array {
  const { type } = checkCmw(cmw);
  if (type !== CCA_TOKEN_TYPE) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  return cmw.value.slice();
}
