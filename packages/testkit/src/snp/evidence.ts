import {
  CMW_ENDORSEMENTS,
  CMW_EVIDENCE,
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  SNP_EVIDENCE_TYPE,
  type Cmw,
} from '@fastness/attest';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';

/** Wraps a report as evidence: CBOR {1: report, ? 2: [certificate, ...]}. `simulated` picks the media type. */
export function snpEvidence(options: {
  readonly report: Uint8Array;
  readonly certificates?: readonly Uint8Array[];
  readonly simulated?: boolean;
}): Cmw {
  const fields = new Map<number, CborValue>([[1, options.report]]);
  if (options.certificates !== undefined) fields.set(2, options.certificates);
  const type = options.simulated === true ? SIMULATED_SNP_EVIDENCE_TYPE : SNP_EVIDENCE_TYPE;
  return { type, value: encodeCbor(fields), ind: CMW_EVIDENCE };
}

/** Wraps certificates and revocation lists as endorsements: CBOR {? 1: [certificate, ...], ? 2: [CRL, ...]}. */
export function snpEndorsements(options: {
  readonly certificates?: readonly Uint8Array[];
  readonly crls?: readonly Uint8Array[];
}): Cmw {
  const fields = new Map<number, CborValue>();
  if (options.certificates !== undefined) fields.set(1, options.certificates);
  if (options.crls !== undefined) fields.set(2, options.crls);
  return { type: SNP_ENDORSEMENTS_TYPE, value: encodeCbor(fields), ind: CMW_ENDORSEMENTS };
}
