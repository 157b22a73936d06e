import { concatBytes, encodePem, fromHex, toBase64Url, utf8Encode } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { describe, expect, it } from 'vitest';
import {
  CMW_EVIDENCE,
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  SNP_EVIDENCE_TYPE,
  TSM_REPORT_TYPE,
  verifyEvidence,
  type Cmw,
} from '../src/index.ts';
import {
  decodeSnpEndorsements,
  decodeSnpEvidence,
  encodeSnpEndorsements,
  encodeSnpEvidence,
  parseCertTable,
  snpEvidenceFromExtendedReport,
  snpEvidenceFromTsm,
} from '../src/formats/snp/index.ts';
import { codeOf } from './support/errors.ts';
import { prepare } from './support/forge.ts';

const guids = {
  vcek: '63da758de6644564adc5f4b93be8accd',
  vlek: 'a8074bc2a25a483eaae639c045a0b8a1',
  ask: '4ab7b379bbac4fe4a02f05aef327c782',
  ark: 'c0b406a4a803495297433fb6014cd0ae',
  crl: '92f81bc358114d3d97ffd19f88dc67ea',
} as const;

/** A certificate table as a host writes it. */
function table(entries: readonly (readonly [guid: string, data: Uint8Array])[], padding = 0): Uint8Array {
  const header = new Uint8Array((entries.length + 1) * 24);
  const view = new DataView(header.buffer);
  let offset = header.length;
  for (const [index, [guid, data]] of entries.entries()) {
    header.set(fromHex(guid), index * 24);
    view.setUint32(index * 24 + 16, offset, true);
    view.setUint32(index * 24 + 20, data.length, true);
    offset += data.length;
  }
  return concatBytes(header, ...entries.map(([, data]) => data), new Uint8Array(padding));
}

const { chain, ...options } = await prepare();
const [leaf, ask, ark] = chain.certificates;
const { report } = decodeSnpEvidence(options.evidence);
const full = table(
  [
    [guids.ark, ark],
    [guids.ask, ask],
    [guids.vcek, leaf],
    [guids.crl, chain.crl],
  ],
  4096,
);

describe('certificate table', () => {
  it('gives certificates and lists, DER or PEM, and names what it does not know', () => {
    const pem = utf8Encode(encodePem(leaf, 'CERTIFICATE'));
    const unknown = '00112233445566778899aabbccddeeff';
    const read = parseCertTable(
      table([
        [guids.ark, ark],
        [unknown, Uint8Array.of(1)],
        [guids.vlek, pem],
        [guids.crl, chain.crl],
      ]),
    );
    expect(read).toEqual({ certificates: [ark, leaf], crls: [chain.crl], unknown: [unknown] });
  });

  it('may be empty', () => {
    const empty = { certificates: [], crls: [], unknown: [] };
    expect(parseCertTable(new Uint8Array(0))).toEqual(empty);
    expect(parseCertTable(new Uint8Array(4096))).toEqual(empty);
  });

  const entry = (offset: number, length: number): Uint8Array => {
    const bytes = table([[guids.vcek, leaf]]);
    const view = new DataView(bytes.buffer);
    view.setUint32(16, offset, true);
    view.setUint32(20, length, true);
    return bytes;
  };
  it.each([
    ['no closing entry', table([[guids.vcek, leaf]]).subarray(0, 24)],
    ['a header cut short', new Uint8Array(23)],
    ['data past the end', entry(48, leaf.length + 1)],
    ['data inside the header', entry(24, 24)],
    ['an offset that overflows', entry(0xffff_ffff, 0xffff_ffff)],
    ['an empty certificate', entry(48, 0)],
    ['too many entries', table(Array.from({ length: 33 }, () => [guids.vcek, leaf]))],
    ['PEM of another kind', table([[guids.vcek, utf8Encode(encodePem(leaf, 'X509 CRL'))]])],
    ['PEM that is cut short', table([[guids.vcek, utf8Encode(encodePem(leaf, 'CERTIFICATE').slice(0, 200))]])],
  ])('is refused with %s', async (_, bytes) => {
    expect(await codeOf(() => parseCertTable(bytes))).toBe('SNP_CERT_TABLE_MALFORMED');
  });
});

describe('collected evidence', () => {
  it.each([
    ['configfs-tsm', () => snpEvidenceFromTsm({ outblob: report, auxblob: full })],
    ['an extended report', () => snpEvidenceFromExtendedReport(concatBytes(report, full))],
  ])('verifies from %s', async (_, collect) => {
    expect(await codeOf(verifyEvidence({ ...options, ...collect() }))).toBe('accepted');
  });

  it('verifies without a table when endorsements bring the certificates', async () => {
    const { evidence } = snpEvidenceFromTsm({ outblob: report });
    expect(await codeOf(verifyEvidence({ ...options, evidence }))).toBe('accepted');
    expect(await codeOf(verifyEvidence({ ...options, evidence, endorsements: [] }))).toBe('SNP_LEAF_MISSING');
  });

  it('verifies in the envelope of Veraison, lists included', async () => {
    const json = { provider: 'sev_guest\n', outblob: toBase64Url(report), auxblob: toBase64Url(full) };
    const evidence = { type: TSM_REPORT_TYPE, value: utf8Encode(JSON.stringify(json)) };
    expect(await codeOf(verifyEvidence({ ...options, evidence, endorsements: [] }))).toBe('accepted');
  });

  it.each([
    ['ATTEST_EVIDENCE_UNSUPPORTED', { provider: 'tdx_guest', outblob: '' }],
    ['ATTEST_EVIDENCE_MALFORMED', { provider: 'sev_guest' }],
    ['ATTEST_EVIDENCE_MALFORMED', { provider: 'sev_guest', outblob: '', more: '' }],
    ['ATTEST_EVIDENCE_MALFORMED', []],
    ['SNP_REPORT_SIZE', { provider: 'sev_guest', outblob: 'AAAA' }],
    ['CODEC_MALFORMED', { provider: 'sev_guest', outblob: '****' }],
  ])('%s: %j', async (code, json) => {
    const evidence = { type: TSM_REPORT_TYPE, value: utf8Encode(JSON.stringify(json)) };
    expect(await codeOf(verifyEvidence({ ...options, evidence }))).toBe(code);
  });

  it('is refused when it is no JSON, or shorter than a report', async () => {
    expect(
      await codeOf(verifyEvidence({ ...options, evidence: { type: TSM_REPORT_TYPE, value: utf8Encode('{') } })),
    ).toBe('ATTEST_EVIDENCE_MALFORMED');
    expect(await codeOf(() => snpEvidenceFromExtendedReport(report.subarray(1)))).toBe('SNP_REPORT_SIZE');
  });
});

describe('CBOR envelopes', () => {
  it('survive a round trip', () => {
    const evidence = encodeSnpEvidence({ report, certificates: [leaf] });
    expect(evidence).toMatchObject({ type: SNP_EVIDENCE_TYPE, ind: CMW_EVIDENCE });
    expect(decodeSnpEvidence(evidence)).toEqual({ simulated: false, report, certificates: [leaf], crls: [] });
    const simulated = encodeSnpEvidence({ report, simulated: true });
    expect(simulated.type).toBe(SIMULATED_SNP_EVIDENCE_TYPE);
    expect(decodeSnpEvidence(simulated)).toEqual({ simulated: true, report, certificates: [], crls: [] });
    const endorsements = encodeSnpEndorsements({ certificates: [ask, ark], crls: [chain.crl] });
    expect(decodeSnpEndorsements(endorsements)).toEqual({ certificates: [ask, ark], crls: [chain.crl] });
  });

  const cbor = (type: string, value: CborValue): Cmw => ({ type, value: encodeCbor(value) });
  const map = (...entries: [number, CborValue][]) => new Map<number, CborValue>(entries);
  it.each([
    ['no map', cbor(SNP_EVIDENCE_TYPE, [report])],
    ['no report', cbor(SNP_EVIDENCE_TYPE, map([2, []]))],
    ['a report that is text', cbor(SNP_EVIDENCE_TYPE, map([1, 'report']))],
    ['an unknown member', cbor(SNP_EVIDENCE_TYPE, map([1, report], [3, 0]))],
    ['a text key', cbor(SNP_EVIDENCE_TYPE, new Map<string, CborValue>([['report', report]]))],
    ['certificates that are no list', cbor(SNP_EVIDENCE_TYPE, map([1, report], [2, leaf]))],
    ['a certificate that is text', cbor(SNP_EVIDENCE_TYPE, map([1, report], [2, ['x']]))],
    ['too many certificates', cbor(SNP_EVIDENCE_TYPE, map([1, report], [2, Array.from({ length: 17 }, () => leaf)]))],
  ])('are refused as evidence with %s', async (_, evidence) => {
    expect(await codeOf(verifyEvidence({ ...options, evidence }))).toBe('ATTEST_EVIDENCE_MALFORMED');
  });

  it.each([
    ['no map', cbor(SNP_ENDORSEMENTS_TYPE, [])],
    ['an unknown member', cbor(SNP_ENDORSEMENTS_TYPE, map([4, []]))],
    ['a list that is bytes', cbor(SNP_ENDORSEMENTS_TYPE, map([2, chain.crl]))],
  ])('are refused as endorsements with %s', async (_, endorsement) => {
    expect(await codeOf(verifyEvidence({ ...options, endorsements: [endorsement] }))).toBe(
      'ATTEST_ENDORSEMENT_MALFORMED',
    );
  });

  it('are refused when all endorsements together bring too many certificates', async () => {
    const many = await Promise.all(Array.from({ length: 17 }, async () => chain.issueCrl()));
    const endorsements = [
      encodeSnpEndorsements({ crls: many.slice(0, 9) }),
      encodeSnpEndorsements({ crls: many.slice(9) }),
    ];
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
  });

  it('are refused with bytes after them, or a certificate that is none', async () => {
    const { evidence } = options;
    const longer = { ...evidence, value: concatBytes(evidence.value, Uint8Array.of(0)) };
    expect(await codeOf(verifyEvidence({ ...options, evidence: longer }))).toBe('CODEC_TRAILING');
    const endorsements = [encodeSnpEndorsements({ certificates: [Uint8Array.of(0x30, 0)], crls: [] })];
    expect(await codeOf(verifyEvidence({ ...options, endorsements }))).toMatch(/^(CODEC|X509)_/);
  });
});
