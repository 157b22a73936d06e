import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { PSA_TOKEN_TYPE } from '../../media-types.ts';

/** Wraps a PSA token as evidence: COSE_Sign1 as `psa_initial_attest_get_token` returns it. */
export function encodePsaEvidence(token: Uint8Array): Cmw {
  return { type: PSA_TOKEN_TYPE, value: token, ind: CMW_EVIDENCE };
}

/** Takes a token out of its envelope, as a private copy. Throws ATTEST_EVIDENCE_UNSUPPORTED and CMW errors. */
export function decodePsaEvidence(cmw: Cmw): Uint8Array {
  const { type } = checkCmw(cmw);
  if (type !== PSA_TOKEN_TYPE) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  return cmw.value.slice();
}
