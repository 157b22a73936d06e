import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { GCP_VTPM_EVIDENCE_TYPE } from '../../media-types.ts';
import { MAX_AK_CERTIFICATES } from '../tpm/ak-certificates.ts';
import { listOf, quoteMembers, readQuoteMembers, type QuoteContent, type ReadContent } from '../tpm/content.ts';
import { membersOf } from '../tpm/evidence.ts';

/** Evidence of a virtual TPM of Google Compute Engine. Untrusted. */
export interface GcpVtpmEvidence extends QuoteContent {
  /** Member 5: the certificate of the attestation key, then others above it in any order; DER. */
  readonly certificates: readonly Uint8Array[];
}

/** Wraps a quote and the certificate of its key as evidence. */
export function encodeGcpVtpmEvidence(evidence: GcpVtpmEvidence): Cmw {
  const members = new Map<number, CborValue>([...quoteMembers(evidence), [5, evidence.certificates]]);
  return { type: GCP_VTPM_EVIDENCE_TYPE, value: encodeCbor(members), ind: CMW_EVIDENCE };
}

/**
 * Takes evidence out of its envelope, from a private copy: the caller's buffer may change while signatures are verified.
 * Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED, EVENT_LOG_... and CODEC errors.
 */
export function decodeGcpVtpmEvidence(cmw: Cmw): ReadContent & Pick<GcpVtpmEvidence, 'certificates'> {
  const members = membersOf(cmw, GCP_VTPM_EVIDENCE_TYPE, [1, 2, 3, 4, 5]);
  const certificates = listOf(members, 5, MAX_AK_CERTIFICATES, 'ATTEST_EVIDENCE_MALFORMED');
  return { ...readQuoteMembers(members), certificates };
}
