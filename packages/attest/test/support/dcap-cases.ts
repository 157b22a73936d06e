import { fromHex, utf8Decode } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  CMW_EVIDENCE,
  parseAttestationPolicy,
  SGX_QUOTE_TYPE,
  tcbStatuses,
  TDX_QUOTE_TYPE,
  vendorAnchors,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import { parse as parseSgx } from '../../src/formats/sgx/index.ts';
import { encodeDcapCollateral, parse as parseTdx, type DcapCollateral } from '../../src/formats/tdx/index.ts';
import { sampleAnchors, sampleCollateral, sgxSample, tdxSample } from './intel-samples.ts';
import { fromAnyBase64, jsonText, readVector, readVectorText } from './vectors.ts';

/** One recorded quote, what goes with it, and what must become of it. */
export interface DcapCase {
  readonly name: string;
  /** First file of its row in INDEX.tsv. */
  readonly row: string;
  readonly tee: 'tdx' | 'sgx';
  readonly quote: () => Uint8Array;
  readonly collateral?: () => DcapCollateral;
  readonly at: string;
  /** `accept`, or the one code of the refusal under a policy that accepts what the quote measures. */
  readonly verdict: 'accept' | ErrorCode;
  /** Statuses that the policy accepts; default all. */
  readonly status?: string;
  /** Default: the vendors'. */
  readonly anchors?: () => TrustAnchors;
  /** Members of the section beside those that accept what the quote measures. */
  readonly section?: object;
  /** Checks that the policy waives. */
  readonly waive?: readonly WaivableCheck[];
  /** Needs a waiver because no list of that time was recorded. */
  readonly noCrl?: boolean;
  /** Members of the section that lift what the verdict is about, and the verdict then. */
  readonly relaxed?: {
    readonly section?: object;
    readonly waive?: 'TDX_DEBUG_ALLOWED';
    readonly verdict: 'accept' | ErrorCode;
  };
}

const phala = 'Phala-Network__dcap-qvl/sample';
const google = 'tdx/google__go-tdx-guest/testing/testdata';
const trustee = 'confidential-containers__trustee/deps/verifier/test_data';
const teekit = 'tdx/canvasxyz__teekit/packages/qvl/test';

const json = (path: string): unknown => JSON.parse(readVectorText(path));

/** Collateral as dcap-qvl records it: texts and signatures apart, lists in hex. */
const fromQvl = (path: string) => (): DcapCollateral => {
  const file = json(path);
  const text = (name: string) => jsonText(file, name);
  return {
    tcbInfo: `{"tcbInfo":${text('tcb_info')},"signature":"${text('tcb_info_signature')}"}`,
    tcbInfoIssuerChain: text('tcb_info_issuer_chain'),
    qeIdentity: `{"enclaveIdentity":${text('qe_identity')},"signature":"${text('qe_identity_signature')}"}`,
    qeIdentityIssuerChain: text('qe_identity_issuer_chain'),
    rootCaCrl: fromHex(text('root_ca_crl')),
    pckCrl: fromHex(text('pck_crl')),
  };
};

/** The issuer chain is the same for every answer; Intel has not changed the certificate since 2018. */
const signerChain = () => jsonText(json(`tdx/${phala}/tdx_quote_collateral.json`), 'tcb_info_issuer_chain');

const assembled =
  (tcbInfo: string, qeIdentity: string, crls = false) =>
  (): DcapCollateral => ({
    tcbInfo: readVectorText(tcbInfo),
    tcbInfoIssuerChain: signerChain(),
    qeIdentity: readVectorText(qeIdentity),
    qeIdentityIssuerChain: signerChain(),
    ...(crls ? { rootCaCrl: readVector(`${google}/rootcrl.der`), pckCrl: readVector(`${google}/pckcrl`) } : {}),
  });

const google2023 = assembled(`${google}/sample_tcbInfo_response`, `${google}/sample_qeIdentity_response`, true);
const teekitInfo = (tee: string, fmspc: string) => `${teekit}/sampleTcbInfos/tcbInfo-${tee}-${fmspc}.json`;
const tdQe2025 = `sgx/${trustee}/enclaveIdentity.json`;
const in2025 = (fmspc: string) => assembled(teekitInfo('tdx', fmspc), tdQe2025);
/** The one time at which TCB infos and QE identity of 2025 are all valid. */
const OVERLAP = '2025-10-28T12:00:00Z';

const binary = (path: string) => () => readVector(path);
const hexText = (path: string) => () => fromHex(utf8Decode(readVector(path)).trim().replace(/^0x/, ''));

const early2025 = '2025-06-25T00:00:00Z';

export const dcapCases: readonly DcapCase[] = [
  {
    name: 'dcap-qvl SGX v3, full collateral',
    row: `sgx/${phala}/sgx_quote`,
    tee: 'sgx',
    quote: binary(`sgx/${phala}/sgx_quote`),
    collateral: fromQvl(`sgx/${phala}/sgx_quote_collateral.json`),
    at: early2025,
    verdict: 'accept',
    status: 'ConfigurationAndSWHardeningNeeded',
  },
  {
    name: 'trustee SGX v3, debug enclave',
    row: `sgx/${trustee}/occlum_quote.dat`,
    tee: 'sgx',
    quote: binary(`sgx/${trustee}/occlum_quote.dat`),
    at: early2025,
    verdict: 'DCAP_COLLATERAL_MISSING',
  },
  ...['chinenyeokafor', 'occlum'].map((name): DcapCase => ({
    name: `teekit SGX v3 ${name}, no QE identity and no lists`,
    row: `${teekit}/sampleQuotes/sgx-${name}.dat`,
    tee: 'sgx',
    quote: binary(`${teekit}/sampleQuotes/sgx-${name}.dat`),
    at: OVERLAP,
    verdict: 'DCAP_COLLATERAL_MISSING',
  })),
  ...['90c06f000000', '30606a000000'].map((fmspc): DcapCase => ({
    name: `teekit SGX TCB info ${fmspc}, written anew`,
    row: `${teekit}/sampleTcbInfos`,
    tee: 'sgx',
    quote: binary(`${teekit}/sampleQuotes/sgx-${fmspc === '90c06f000000' ? 'chinenyeokafor' : 'occlum'}.dat`),
    collateral: assembled(teekitInfo('sgx', fmspc), tdQe2025),
    at: OVERLAP,
    noCrl: true,
    verdict: 'DCAP_TCB_INFO_SIGNATURE',
  })),
  {
    name: "Intel's SGX sample, PCK certificate handed in, TCB info v2, sample root",
    row: `${sgxSample}/quote.dat`,
    tee: 'sgx',
    quote: binary(`${sgxSample}/quote.dat`),
    collateral: sampleCollateral(sgxSample, 'pem'),
    anchors: sampleAnchors(sgxSample),
    // Its enclave is all zeros: no processor made the report, so the policy has to say that it wants just that.
    section: { attributes: { value: '00'.repeat(16), mask: 'ff'.repeat(16) } },
    waive: ['DCAP_TCB_INFO_OUTDATED'],
    at: early2025,
    verdict: 'accept',
    status: 'UpToDate',
  },
  {
    name: "Intel's SGX sample, TCB info v2 without a waiver",
    row: `${sgxSample}/quote.dat`,
    tee: 'sgx',
    quote: binary(`${sgxSample}/quote.dat`),
    collateral: sampleCollateral(sgxSample, 'pem'),
    anchors: sampleAnchors(sgxSample),
    at: early2025,
    verdict: 'DCAP_TCB_INFO_OUTDATED',
  },
  {
    name: "Intel's SGX sample, Intel's root",
    row: `${sgxSample}/quote.dat`,
    tee: 'sgx',
    quote: binary(`${sgxSample}/quote.dat`),
    collateral: sampleCollateral(sgxSample, 'pem'),
    at: early2025,
    verdict: 'DCAP_ROOT_NOT_PINNED',
  },
  {
    name: "Intel's SGX sample, sample root, after its time",
    row: `${sgxSample}/quote.dat`,
    tee: 'sgx',
    quote: binary(`${sgxSample}/quote.dat`),
    collateral: sampleCollateral(sgxSample, 'pem'),
    anchors: sampleAnchors(sgxSample),
    at: '2026-09-06T00:00:00Z',
    verdict: 'DCAP_CERTIFICATE_VALIDITY',
  },
  {
    name: "Intel's TDX sample, sample root, its own collateral",
    row: tdxSample,
    tee: 'tdx',
    quote: binary(`${tdxSample}/quote.dat`),
    collateral: sampleCollateral(tdxSample, 'der'),
    anchors: sampleAnchors(tdxSample),
    at: early2025,
    // An SVN has one byte, and its TCB info gives 65473 and the like: cut to a byte it would be another level.
    verdict: 'DCAP_COLLATERAL_MALFORMED',
  },
  {
    name: "Intel's TDX sample, sample root: chain and every signature of the quote hold; documents of another root",
    row: tdxSample,
    tee: 'tdx',
    quote: binary(`${tdxSample}/quote.dat`),
    collateral: () => {
      const { tcbInfo, tcbInfoIssuerChain } = in2025('00806f050000')();
      return { ...sampleCollateral(tdxSample, 'der')(), tcbInfo, tcbInfoIssuerChain };
    },
    anchors: sampleAnchors(tdxSample),
    at: early2025,
    verdict: 'DCAP_TCB_ROOT_MISMATCH',
  },
  {
    name: "Intel's TDX sample, Intel's root",
    row: tdxSample,
    tee: 'tdx',
    quote: binary(`${tdxSample}/quote.dat`),
    collateral: () => {
      const { tcbInfo, tcbInfoIssuerChain } = in2025('00806f050000')();
      return { ...sampleCollateral(tdxSample, 'der')(), tcbInfo, tcbInfoIssuerChain };
    },
    at: early2025,
    verdict: 'DCAP_ROOT_NOT_PINNED',
  },
  {
    name: 'dcap-qvl TDX v4, full collateral',
    row: `tdx/${phala}/tdx_quote`,
    tee: 'tdx',
    quote: binary(`tdx/${phala}/tdx_quote`),
    collateral: fromQvl(`tdx/${phala}/tdx_quote_collateral.json`),
    at: early2025,
    verdict: 'accept',
    status: 'UpToDate',
  },
  {
    name: 'dcap-qvl TDX v5, TD 1.5, below every level',
    row: `tdx/${phala}/tdx_quote_outdated`,
    tee: 'tdx',
    quote: binary(`tdx/${phala}/tdx_quote_outdated`),
    collateral: fromQvl(`tdx/${phala}/tdx_quote_outdated_collateral.json`),
    at: '2026-03-01T00:00:00Z',
    verdict: 'DCAP_TCB_LEVEL_UNKNOWN',
  },
  ...['quote-from-tappd.hex', 'tdx-quote.hex'].map((name): DcapCase => ({
    name: `dcap-qvl TDX v4 ${name}`,
    row: `tdx/${phala}/${name}`,
    tee: 'tdx',
    quote: hexText(`tdx/${phala}/${name}`),
    collateral: in2025('b0c06f000000'),
    at: OVERLAP,
    noCrl: true,
    // Its SEAM loader (component 8) is older than every level knows.
    verdict: 'DCAP_TCB_LEVEL_UNKNOWN',
  })),
  {
    name: 'go-tdx-guest SPR E4, bytes after the quote',
    row: `${google}/tdx_prod_quote_SPR_E4.dat`,
    tee: 'tdx',
    quote: binary(`${google}/tdx_prod_quote_SPR_E4.dat`),
    collateral: google2023,
    at: '2023-06-20T00:00:00Z',
    verdict: 'DCAP_QUOTE_TRAILING',
  },
  {
    name: 'go-tdx-guest SPR E4, cut to its length, collateral of 2023 without its signing certificate',
    row: `${google}/tdx_prod_quote_SPR_E4.dat`,
    tee: 'tdx',
    quote: () => readVector(`${google}/tdx_prod_quote_SPR_E4.dat`).subarray(0, -39),
    collateral: google2023,
    at: '2023-06-20T00:00:00Z',
    // Every signature holds, by the key of today's signing certificate; that of 2023 was not recorded.
    verdict: 'DCAP_CERTIFICATE_VALIDITY',
  },
  {
    name: 'go-tdx-guest SPR E4, cut to its length, collateral of 2025',
    row: `${google}/tdx_prod_quote_SPR_E4.dat`,
    tee: 'tdx',
    quote: () => readVector(`${google}/tdx_prod_quote_SPR_E4.dat`).subarray(0, -39),
    collateral: in2025('50806f000000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'DCAP_TCB_LEVEL_UNKNOWN',
  },
  {
    name: 'go-tdx-guest COS 113, event log, padded',
    row: `${google}/ccel/cos-113-tdx-quote.dat`,
    tee: 'tdx',
    quote: binary(`${google}/ccel/cos-113-tdx-quote.dat`),
    collateral: in2025('00806f050000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'accept',
    status: 'UpToDate',
  },
  {
    name: 'trustee TDX v4, debug',
    row: `tdx/${trustee}/tdx_quote_4.dat`,
    tee: 'tdx',
    quote: binary(`tdx/${trustee}/tdx_quote_4.dat`),
    collateral: in2025('50806f000000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'TDX_DEBUG_ALLOWED',
    relaxed: { waive: 'TDX_DEBUG_ALLOWED', verdict: 'accept' },
  },
  {
    name: 'trustee TDX v5, TD 1.5 with a service TD',
    row: `tdx/${trustee}/tdx_quote_5.dat`,
    tee: 'tdx',
    quote: binary(`tdx/${trustee}/tdx_quote_5.dat`),
    collateral: in2025('90c06f000000'),
    at: OVERLAP,
    noCrl: true,
    // Refused before its service TD is looked at: the platform reaches no level.
    verdict: 'DCAP_TCB_LEVEL_UNKNOWN',
  },
  {
    name: 'trustee TDX v4, Granite Rapids',
    row: `tdx/${trustee}/tdx_quote_6.dat`,
    tee: 'tdx',
    quote: binary(`tdx/${trustee}/tdx_quote_6.dat`),
    collateral: assembled(`sgx/${trustee}/tcbInfo.json`, tdQe2025),
    at: '2025-11-01T00:00:00Z',
    noCrl: true,
    verdict: 'accept',
    status: 'OutOfDate',
  },
  {
    name: 'trustee TDX TCB info and TD QE identity',
    row: `sgx/${trustee}/tcbInfo.json`,
    tee: 'tdx',
    quote: binary(`tdx/${trustee}/tdx_quote_6.dat`),
    collateral: assembled(`sgx/${trustee}/tcbInfo.json`, tdQe2025),
    at: '2025-11-27T00:00:00Z',
    noCrl: true,
    verdict: 'DCAP_TCB_INFO_WINDOW',
  },
  {
    name: 'teekit TDX v4 moemahhouk, PERFMON',
    row: `${teekit}/sampleQuotes/tdx-v4-moemahhouk.dat`,
    tee: 'tdx',
    quote: binary(`${teekit}/sampleQuotes/tdx-v4-moemahhouk.dat`),
    collateral: in2025('90c06f000000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'DCAP_TCB_LEVEL_UNKNOWN',
  },
  {
    name: 'teekit TDX v4 Azure, no SEPT_VE_DISABLE',
    row: `${teekit}/sampleQuotes/tdx-v4-azure`,
    tee: 'tdx',
    quote: () => fromAnyBase64(readVectorText(`${teekit}/sampleQuotes/tdx-v4-azure`).trim()),
    collateral: in2025('00806f050000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'TDX_SEPT_VE_ENABLED',
    relaxed: { section: { septVeDisable: 'any' }, verdict: 'accept' },
  },
  ...['tdx-v4-gcp.json', 'tdx-v4-gcp-no-nonce.json'].map((name): DcapCase => ({
    name: `teekit TDX v4 ${name}`,
    row: `${teekit}/sampleQuotes/${name}`,
    tee: 'tdx',
    quote: () => fromAnyBase64(jsonText(json(`${teekit}/sampleQuotes/${name}`), 'tdx', 'quote')),
    collateral: in2025('00806f050000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'accept',
  })),
  {
    name: 'dstack TDX v4',
    row: 'tdx/Dstack-TEE__dstack/dstack/verifier/fixtures/quote-report.json',
    tee: 'tdx',
    quote: () => fromHex(jsonText(json('tdx/Dstack-TEE__dstack/dstack/verifier/fixtures/quote-report.json'), 'quote')),
    collateral: in2025('90c06f000000'),
    at: OVERLAP,
    noCrl: true,
    verdict: 'accept',
    status: 'UpToDate',
  },
];

/** The case as the verifier takes it. */
export function wrapDcap(testCase: DcapCase): { evidence: Cmw; endorsements: Cmw[] } {
  const type = testCase.tee === 'tdx' ? TDX_QUOTE_TYPE : SGX_QUOTE_TYPE;
  return {
    evidence: { type, value: testCase.quote(), ind: CMW_EVIDENCE },
    endorsements: testCase.collateral === undefined ? [] : [encodeDcapCollateral(testCase.collateral())],
  };
}

/** What the quote itself says; for quotes that cannot be read, anything. */
function contentOf(testCase: DcapCase): { reportData: string; measurement: string } {
  const { collateral: _none, ...alone } = testCase;
  const { evidence } = wrapDcap(alone);
  try {
    if (testCase.tee === 'tdx') {
      const { body } = parseTdx(evidence);
      return { reportData: body.reportData, measurement: body.mrTd };
    }
    const { body } = parseSgx(evidence);
    return { reportData: body.reportData, measurement: body.mrEnclave };
  } catch {
    return { reportData: '00'.repeat(64), measurement: '00'.repeat(testCase.tee === 'tdx' ? 48 : 32) };
  }
}

/** What a test changes about the judgement of a case. */
export interface DcapChanges {
  readonly section?: object;
  readonly waive?: readonly WaivableCheck[];
  readonly reportData?: Uint8Array;
  readonly at?: string;
}

/** Everything that verifies a case, under a policy that accepts what the quote measures. */
export function dcapOptions(testCase: DcapCase, changes: DcapChanges = {}): VerifyEvidenceOptions {
  const { reportData, measurement } = contentOf(testCase);
  const waive = [
    ...(testCase.waive ?? []),
    ...(testCase.noCrl === true ? (['DCAP_CRL_MISSING'] as const) : []),
    ...(changes.waive ?? []),
  ];
  return {
    ...wrapDcap(testCase),
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-evidence',
      [testCase.tee]: {
        measurements: [measurement],
        ...(testCase.tee === 'tdx' ? { rtmrs: {} } : {}),
        tcbStatuses: [...tcbStatuses],
        minimumTcbEvaluationDataNumber: 0,
        ...testCase.section,
        ...changes.section,
      },
      waivers: waive.map((check) => ({ check, reason: 'recorded evidence' })),
    }),
    anchors: testCase.anchors?.() ?? vendorAnchors,
    expectedReportData: changes.reportData ?? fromHex(reportData),
    now: new Date(changes.at ?? testCase.at),
  };
}
