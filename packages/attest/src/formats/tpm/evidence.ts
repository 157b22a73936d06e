import { encodeCbor } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { TPM_EVIDENCE_TYPE, VTPM_ENDORSEMENTS_TYPE } from '../../media-types.ts';
import {
  bytesOf,
  listOf,
  quoteMembers,
  readMembers,
  readQuoteMembers,
  type QuoteContent,
  type ReadContent,
} from './content.ts';

/** Evidence of a TPM whose attestation key the policy pins. Untrusted. */
export interface TpmEvidence extends QuoteContent {
  /** Member 5: the attestation key, DER SubjectPublicKeyInfo. It proves nothing; the policy must name it. */
  readonly attestationKey: Uint8Array;
}

/** Certificates above attestation keys, and revocation lists. Untrusted: what counts is the root that they end in. */
export interface VtpmEndorsements {
  /** DER. */
  readonly certificates: readonly Uint8Array[];
  /** DER. */
  readonly crls: readonly Uint8Array[];
}

const MAX_ITEMS = 16;
/** Envelopes of endorsements that evidence may come with. */
const MAX_ENDORSEMENTS = 8;

/** Wraps a quote and its attestation key as evidence. */
export function encodeTpmEvidence(evidence: TpmEvidence): Cmw {
  const members = new Map([...quoteMembers(evidence), [5, evidence.attestationKey]]);
  return { type: TPM_EVIDENCE_TYPE, value: encodeCbor(members), ind: CMW_EVIDENCE };
}

/**
 * Takes evidence out of its envelope, from a private copy: the caller's buffer may change while signatures are verified.
 * Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED, EVENT_LOG_... and CODEC errors.
 */
export function decodeTpmEvidence(cmw: Cmw): ReadContent & { readonly attestationKey: Uint8Array } {
  const members = membersOf(cmw, TPM_EVIDENCE_TYPE, [1, 2, 3, 4, 5]);
  return { ...readQuoteMembers(members), attestationKey: bytesOf(members, 5) };
}

/** The members of evidence of a type, from a private copy. */
export function membersOf(cmw: Cmw, type: string, known: readonly number[]): ReturnType<typeof readMembers> {
  if (checkCmw(cmw).type !== type) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${cmw.type}.`);
  return readMembers(cmw.value.slice(), known, 'ATTEST_EVIDENCE_MALFORMED');
}

/** Wraps certificates and revocation lists (DER) as endorsements of an attestation key. */
export function encodeVtpmEndorsements({ certificates = [], crls = [] }: Partial<VtpmEndorsements>): Cmw {
  const content = new Map([
    [1, certificates],
    [2, crls],
  ]);
  return { type: VTPM_ENDORSEMENTS_TYPE, value: encodeCbor(content), ind: CMW_ENDORSEMENTS };
}

/**
 * Takes endorsements out of their envelopes, from private copies, each certificate and list once.
 * Throws ATTEST_ENDORSEMENT_UNSUPPORTED, ATTEST_ENDORSEMENT_MALFORMED and CODEC errors.
 */
export function decodeVtpmEndorsements(endorsements: readonly Cmw[]): VtpmEndorsements {
  const code = 'ATTEST_ENDORSEMENT_MALFORMED';
  if (endorsements.length > MAX_ENDORSEMENTS) {
    throw new FastnessError(code, `${endorsements.length} endorsements; at most ${MAX_ENDORSEMENTS}.`);
  }
  const read = endorsements.map((cmw) => {
    if (checkCmw(cmw).type !== VTPM_ENDORSEMENTS_TYPE) {
      throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${cmw.type}.`);
    }
    const members = readMembers(cmw.value.slice(), [1, 2], code);
    return { certificates: listOf(members, 1, MAX_ITEMS, code), crls: listOf(members, 2, MAX_ITEMS, code) };
  });
  return {
    certificates: read.flatMap(({ certificates }) => certificates),
    crls: read.flatMap(({ crls }) => crls),
  };
}
