import { decodeCbor, encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { SIMULATED_SNP_EVIDENCE_TYPE, SNP_ENDORSEMENTS_TYPE, SNP_EVIDENCE_TYPE } from '../../media-types.ts';
import { parseCertTable } from './cert-table.ts';
import { REPORT_BYTES } from './layout.ts';

/** SEV-SNP evidence, taken out of its envelope. The bytes are untrusted, and private copies. */
export interface SnpEvidence {
  readonly simulated: boolean;
  readonly report: Uint8Array;
  /** DER. */
  readonly certificates: readonly Uint8Array[];
}

/** Endorsements, taken out of their envelope. Untrusted: what counts is the root that their signatures end in. */
export interface SnpEndorsements {
  /** DER. */
  readonly certificates: readonly Uint8Array[];
  /** DER. */
  readonly crls: readonly Uint8Array[];
}

const MAX_ITEMS = 16;

/** Wraps a report of 1184 bytes and certificates (DER) as evidence. `simulated` evidence is a type of its own. */
export function encodeSnpEvidence(evidence: {
  report: Uint8Array;
  certificates?: readonly Uint8Array[];
  simulated?: boolean;
}): Cmw {
  const { report, certificates = [], simulated = false } = evidence;
  const content = new Map<number, CborValue>([[1, report]]);
  if (certificates.length > 0) content.set(2, [...certificates]);
  return {
    type: simulated ? SIMULATED_SNP_EVIDENCE_TYPE : SNP_EVIDENCE_TYPE,
    value: encodeCbor(content),
    ind: CMW_EVIDENCE,
  };
}

/** Wraps certificates and revocation lists (DER) as endorsements. */
export function encodeSnpEndorsements(endorsements: {
  certificates?: readonly Uint8Array[];
  crls?: readonly Uint8Array[];
}): Cmw {
  const content = new Map<number, CborValue>([
    [1, [...(endorsements.certificates ?? [])]],
    [2, [...(endorsements.crls ?? [])]],
  ]);
  return { type: SNP_ENDORSEMENTS_TYPE, value: encodeCbor(content), ind: CMW_ENDORSEMENTS };
}

/**
 * What Linux's configfs-tsm gives (`outblob`: the report, `auxblob`: the certificate table, if any) as evidence and
 * endorsements. Throws SNP_CERT_TABLE_MALFORMED.
 */
export function snpEvidenceFromTsm(tsm: { outblob: Uint8Array; auxblob?: Uint8Array }): {
  evidence: Cmw;
  endorsements: Cmw[];
} {
  const { certificates, crls } = parseCertTable(tsm.auxblob ?? new Uint8Array(0));
  return {
    evidence: encodeSnpEvidence({ report: tsm.outblob, certificates }),
    endorsements: crls.length === 0 ? [] : [encodeSnpEndorsements({ crls })],
  };
}

/** An extended report - the report followed at once by its certificate table - as evidence and endorsements. */
export function snpEvidenceFromExtendedReport(bytes: Uint8Array): { evidence: Cmw; endorsements: Cmw[] } {
  if (bytes.length < REPORT_BYTES)
    throw new FastnessError('SNP_REPORT_SIZE', `Expected at least ${REPORT_BYTES} bytes; found ${bytes.length}.`);
  return snpEvidenceFromTsm({ outblob: bytes.subarray(0, REPORT_BYTES), auxblob: bytes.subarray(REPORT_BYTES) });
}

/** Takes evidence out of its envelope. Throws ATTEST_EVIDENCE_UNSUPPORTED, ATTEST_EVIDENCE_MALFORMED and CODEC errors. */
export function decodeSnpEvidence(cmw: Cmw): SnpEvidence {
  const simulated = cmw.type === SIMULATED_SNP_EVIDENCE_TYPE;
  if (!simulated && cmw.type !== SNP_EVIDENCE_TYPE)
    throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${cmw.type}.`);
  const content = readMap(cmw, 'ATTEST_EVIDENCE_MALFORMED');
  const report = content.get(1);
  if (!(report instanceof Uint8Array))
    throw new FastnessError('ATTEST_EVIDENCE_MALFORMED', 'Member 1 must be the report.');
  return { simulated, report, certificates: readList(content, 2, 'ATTEST_EVIDENCE_MALFORMED') };
}

/** Takes endorsements out of their envelope. Throws ATTEST_ENDORSEMENT_UNSUPPORTED, ATTEST_ENDORSEMENT_MALFORMED and CODEC errors. */
export function decodeSnpEndorsements(cmw: Cmw): SnpEndorsements {
  if (cmw.type !== SNP_ENDORSEMENTS_TYPE)
    throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${cmw.type}.`);
  const content = readMap(cmw, 'ATTEST_ENDORSEMENT_MALFORMED');
  return {
    certificates: readList(content, 1, 'ATTEST_ENDORSEMENT_MALFORMED'),
    crls: readList(content, 2, 'ATTEST_ENDORSEMENT_MALFORMED'),
  };
}

/** Decodes a private copy: the caller's buffer may change while signatures are being verified. */
function readMap(cmw: Cmw, code: ErrorCode): Map<unknown, CborValue> {
  const content = decodeCbor(checkCmw(cmw).value.slice());
  if (!(content instanceof Map)) throw new FastnessError(code, 'Expected a CBOR map.');
  for (const key of content.keys()) {
    if (key !== 1 && key !== 2) throw new FastnessError(code, `Unknown member ${String(key)}.`);
  }
  return content;
}

function readList(content: Map<unknown, CborValue>, key: number, code: ErrorCode): Uint8Array[] {
  const list = content.get(key) ?? [];
  if (!Array.isArray(list) || list.length > MAX_ITEMS)
    throw new FastnessError(code, `Member ${key} must be a list of at most ${MAX_ITEMS}.`);
  return list.map((item) => {
    if (!(item instanceof Uint8Array)) throw new FastnessError(code, `Member ${key} must hold byte strings.`);
    return item;
  });
}
