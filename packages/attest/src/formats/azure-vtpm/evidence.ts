import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { AZURE_VTPM_EVIDENCE_TYPE } from '../../media-types.ts';
import { MAX_AK_CERTIFICATES } from '../tpm/ak-certificates.ts';
import {
  bytesOf,
  listOf,
  quoteMembers,
  readQuoteMembers,
  type QuoteContent,
  type ReadContent,
} from '../tpm/content.ts';
import { membersOf } from '../tpm/evidence.ts';

/** What Azure adds to a quote. */
interface AzureParts {
  /** Member 5: the HCL report, as NV index 0x01400001 of the virtual TPM holds it. */
  readonly hclReport: Uint8Array;
  /** Member 6, with TDX alone: the TD quote over the report inside. */
  readonly tdQuote?: Uint8Array;
  /** Member 7, optional: the certificate of the attestation key, then others above it in any order; DER. */
  readonly certificates?: readonly Uint8Array[];
}

/** Evidence of a confidential VM of Azure. Untrusted. */
export type AzureVtpmEvidence = QuoteContent & AzureParts;

/** Wraps a quote, the HCL report and what belongs to it as evidence. */
export function encodeAzureVtpmEvidence(evidence: AzureVtpmEvidence): Cmw {
  const { hclReport, tdQuote, certificates } = evidence;
  const members = new Map<number, CborValue>([...quoteMembers(evidence), [5, hclReport]]);
  if (tdQuote !== undefined) members.set(6, tdQuote);
  if (certificates !== undefined) members.set(7, certificates);
  return { type: AZURE_VTPM_EVIDENCE_TYPE, value: encodeCbor(members), ind: CMW_EVIDENCE };
}

/**
 * Takes evidence out of its envelope, from a private copy: the caller's buffer may change while signatures are verified.
 * Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED, EVENT_LOG_... and CODEC errors.
 */
export function decodeAzureVtpmEvidence(cmw: Cmw): ReadContent & AzureParts {
  const members = membersOf(cmw, AZURE_VTPM_EVIDENCE_TYPE, [1, 2, 3, 4, 5, 6, 7]);
  return {
    ...readQuoteMembers(members),
    hclReport: bytesOf(members, 5),
    ...(members.has(6) ? { tdQuote: bytesOf(members, 6) } : {}),
    certificates: listOf(members, 7, MAX_AK_CERTIFICATES, 'ATTEST_EVIDENCE_MALFORMED'),
  };
}
