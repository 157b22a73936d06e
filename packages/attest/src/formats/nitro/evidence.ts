import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { NITRO_EVIDENCE_TYPE, NITRO_TPM_EVIDENCE_TYPE } from '../../media-types.ts';
import { nitroKinds, type NitroKind } from './layout.ts';

const types: Readonly<Record<NitroKind['tee'], string>> = Object.freeze({
  'aws-nitro': NITRO_EVIDENCE_TYPE,
  'aws-nitrotpm': NITRO_TPM_EVIDENCE_TYPE,
});

/** Wraps an attestation document as evidence; nothing else belongs to it, as the document brings its certificates. */
export function encodeNitroEvidence(document: Uint8Array, tee: NitroKind['tee'] = 'aws-nitro'): Cmw {
  return { type: types[tee], value: document, ind: CMW_EVIDENCE };
}

/** Takes a document out of its envelope, as a private copy. Throws ATTEST_EVIDENCE_UNSUPPORTED and CMW errors. */
export function decodeNitroEvidence(cmw: Cmw): { readonly kind: NitroKind; readonly document: Uint8Array } {
  const { type } = checkCmw(cmw);
  const kind = nitroKinds.find(({ tee }) => types[tee] === type);
  if (kind === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  return { kind, document: cmw.value.slice() };
}
