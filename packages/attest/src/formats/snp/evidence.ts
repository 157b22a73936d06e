import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import {
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  SNP_EVIDENCE_TYPE,
  TSM_REPORT_TYPE,
} from '../../media-types.ts';
import { decodeTsmReport } from './tsm.ts';

/** Endorsements, taken out of their envelope. Untrusted: what counts is the root that their signatures end in. */
export interface SnpEndorsements {
  /** DER. */
  readonly certificates: readonly Uint8Array[];
  /** DER. */
  readonly crls: readonly Uint8Array[];
}

/** Evidence, taken out of its envelope: a report and the certificates and lists that came with it. Untrusted. */
export interface SnpEvidence extends SnpEndorsements {
  readonly simulated: boolean;
  readonly report: Uint8Array;
}

type Content = Omit<SnpEvidence, 'simulated'>;

const MAX_ITEMS = 16;

/** Envelopes of evidence. Only one of them is simulated, and no content can turn one into the other. */
const envelopes: ReadonlyMap<string, { readonly simulated: boolean; readonly decode: (value: Uint8Array) => Content }> =
  new Map([
    [SNP_EVIDENCE_TYPE, { simulated: false, decode: decodeContent }],
    [SIMULATED_SNP_EVIDENCE_TYPE, { simulated: true, decode: decodeContent }],
    [TSM_REPORT_TYPE, { simulated: false, decode: decodeTsmReport }],
  ]);

/** Media types of evidence that this verifier reads. */
export const snpEvidenceTypes: readonly string[] = Object.freeze([...envelopes.keys()]);

/** Wraps a report of 1184 bytes and certificates (DER) as evidence. `simulated` evidence is a type of its own. */
export function encodeSnpEvidence(evidence: {
  readonly report: Uint8Array;
  readonly certificates?: readonly Uint8Array[];
  readonly simulated?: boolean;
}): Cmw {
  const { report, certificates = [], simulated = false } = evidence;
  const content = new Map<number, CborValue>([[1, report]]);
  if (certificates.length > 0) content.set(2, certificates);
  const type = simulated ? SIMULATED_SNP_EVIDENCE_TYPE : SNP_EVIDENCE_TYPE;
  return { type, value: encodeCbor(content), ind: CMW_EVIDENCE };
}

/** Wraps certificates and revocation lists (DER) as endorsements. */
export function encodeSnpEndorsements(endorsements: Partial<SnpEndorsements>): Cmw {
  const content = new Map<number, CborValue>([
    [1, endorsements.certificates ?? []],
    [2, endorsements.crls ?? []],
  ]);
  return { type: SNP_ENDORSEMENTS_TYPE, value: encodeCbor(content), ind: CMW_ENDORSEMENTS };
}

/**
 * Takes evidence out of its envelope. Decodes a private copy: the caller's buffer may change while signatures are being
 * verified. Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED, SNP_CERT_TABLE_MALFORMED and CODEC errors.
 */
export function decodeSnpEvidence(cmw: Cmw): SnpEvidence {
  const envelope = envelopes.get(checkCmw(cmw).type);
  if (envelope === undefined) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${cmw.type}.`);
  return { simulated: envelope.simulated, ...envelope.decode(cmw.value.slice()) };
}

/**
 * Takes endorsements out of their envelope, from a private copy.
 * Throws ATTEST_ENDORSEMENT_UNSUPPORTED, ATTEST_ENDORSEMENT_MALFORMED and CODEC errors.
 */
export function decodeSnpEndorsements(cmw: Cmw): SnpEndorsements {
  if (checkCmw(cmw).type !== SNP_ENDORSEMENTS_TYPE) {
    throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${cmw.type}.`);
  }
  const content = readMap(cmw.value.slice(), 'ATTEST_ENDORSEMENT_MALFORMED');
  return {
    certificates: readList(content, 1, 'ATTEST_ENDORSEMENT_MALFORMED'),
    crls: readList(content, 2, 'ATTEST_ENDORSEMENT_MALFORMED'),
  };
}

function decodeContent(value: Uint8Array): Content {
  const content = readMap(value, 'ATTEST_EVIDENCE_MALFORMED');
  const report = content.get(1);
  if (!(report instanceof Uint8Array)) {
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Member 1 must be the report.');
  }
  return { report, certificates: readList(content, 2, 'ATTEST_EVIDENCE_MALFORMED'), crls: [] };
}

function readMap(value: Uint8Array, code: ErrorCode): CborMap {
  const content = decodeCbor(value);
  if (!(content instanceof Map)) throw new FastnessError(code, 'Expected a CBOR map.');
  const map: CborMap = content;
  for (const key of map.keys()) {
    if (key !== 1 && key !== 2) throw new FastnessError(code, `Unknown member ${String(key)}.`);
  }
  return map;
}

function readList(content: CborMap, key: number, code: ErrorCode): Uint8Array[] {
  const list: unknown = content.get(key) ?? [];
  if (!Array.isArray(list) || list.length > MAX_ITEMS) {
    throw new FastnessError(code, `Member ${key} must be a list of at most ${MAX_ITEMS}.`);
  }
  return list.map((item: unknown) => {
    if (!(item instanceof Uint8Array)) throw new FastnessError(code, `Member ${key} must hold byte strings.`);
    return item;
  });
}
