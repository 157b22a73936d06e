import { decodePem, fromBase64Url, fromHex, toHex, utf8Decode } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  amdAnchors,
  parseAttestationPolicy,
  type AttestationPolicy,
  type Cmw,
  type SnpProductName,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import {
  encodeSnpEndorsements,
  encodeSnpEvidence,
  reportLayout,
  snpEvidenceFromTsm,
} from '../../src/formats/snp/index.ts';
import { TSM_REPORT_TYPE } from '../../src/media-types.ts';
import {
  fromAnyBase64,
  jsonText,
  protobufBytes,
  readArmour,
  readCertificates,
  readVector,
  readVectorText,
} from './vectors.ts';

/** Recorded evidence with what must be said about it. */
export interface SnpCase {
  /** First file of the row of INDEX.tsv that the case belongs to. */
  readonly row: string;
  readonly name: string;
  readonly product: SnpProductName;
  readonly version: number;
  readonly report: () => Uint8Array;
  /** Leaf and chain, DER. */
  readonly certificates: () => Uint8Array[];
  /** How the evidence travelled; by default, wrapped by us. */
  readonly envelope?: () => { evidence: Cmw; endorsements: Cmw[] };
  /** A time inside the leaf's validity and the CRL's window. */
  readonly at: string;
  readonly vmpl?: number;
  readonly signingKey?: 'vcek' | 'vlek';
  /** What a policy that asks for nothing special says: accepted, or this code. */
  readonly verdict: 'accept' | ErrorCode;
  /** Waivers under which the case is accepted although `verdict` refuses it. */
  readonly acceptedUnder?: readonly WaivableCheck[];
  /** What AMD-SB-3019's floor says of an accepted case. */
  readonly floor: 'met' | 'SNP_TCB_REPORTED_LOW';
}

const trustee = 'snp/confidential-containers__trustee/deps/verifier/test_data/snp';
const roots = 'roots/confidential-containers__trustee/deps/verifier/src/snp';
const virtee = 'snp/virtee__sev/tests/certs_data';
const goSevGuest = 'snp/google__go-sev-guest/verify/testdata';
const gcp = 'tdx/canvasxyz__teekit/packages/qvl/test/sampleQuotes';
const oak = 'snp/project-oak__oak/oak_attestation_verification/testdata';
const veraison = 'snp/veraison__services/scheme/sevsnp/test/evidence';
const openpcc = 'azure-vtpm/openpcc__openpcc/attestation/attest/testdata';
const azure = 'azure-vtpm/confidential-containers__trustee/deps/verifier/test_data/az-snp-vtpm';

/** ASK, ARK and ASVK of a product. */
const chain = (product: SnpProductName) => readCertificates(`${roots}/${product.toLowerCase()}_ask_ark_asvk.pem`);
const vcekChain = (product: SnpProductName) => chain(product).slice(0, 2);

export const crlsOf = (): Record<'Milan' | 'Genoa', Uint8Array> => {
  const [Genoa, Milan] = decodePem(readVectorText(`${openpcc}/sev_certificates.txt`), 'X509 CRL');
  if (Milan === undefined || Genoa === undefined) throw new Error('no CRLs');
  return { Milan, Genoa };
};

const oakReport = (name: string) => () => protobufBytes(readVector(`${oak}/${name}.binarypb`), 1, 2);
const oakVcek = (name: string) => protobufBytes(readVector(`${oak}/${name}.binarypb`), 2, 1, 1);
/** The report inside an Azure HCL report follows a header of 32 bytes. */
const insideHcl = (hcl: Uint8Array) => hcl.slice(32, 32 + 1184);
const readJson = (path: string): unknown => JSON.parse(readVectorText(path));
const azureV0Report = (): Uint8Array => {
  const json = readJson(`${azure}/evidence-v0.json`);
  const report: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'report') : undefined;
  return Uint8Array.from(Array.isArray(report) ? report : [], Number);
};
const azureV1Bytes = (name: string) => fromAnyBase64(jsonText(readJson(`${azure}/evidence-v1.json`), name));

const tsmPath = `${veraison}/sevsnp-tsm-report.json`;
const tsm = () => ({
  outblob: fromBase64Url(jsonText(readJson(tsmPath), 'outblob')),
  auxblob: fromBase64Url(jsonText(readJson(tsmPath), 'auxblob')),
});
const ratsdToken = (): Cmw => {
  const collection: unknown = JSON.parse(
    utf8Decode(fromBase64Url(jsonText(readJson(`${veraison}/sevsnp-ratsd-token`), 'cmw'))),
  );
  return { type: TSM_REPORT_TYPE, value: fromBase64Url(jsonText(collection, 'tsm-report', '1')) };
};

export const snpCases: readonly SnpCase[] = [
  {
    row: `${goSevGuest}/attestation.bin`,
    name: 'go-sev-guest, Milan, debug allowed',
    product: 'Milan',
    version: 2,
    report: () => readVector(`${goSevGuest}/attestation.bin`),
    certificates: () => [
      ...readCertificates(`${goSevGuest}/vcek.testcer`),
      ...readCertificates(`${goSevGuest}/milan.testcer`),
    ],
    at: '2025-06-01',
    verdict: 'SNP_DEBUG_ALLOWED',
    acceptedUnder: ['SNP_DEBUG_ALLOWED'],
    floor: 'SNP_TCB_REPORTED_LOW',
  },
  {
    row: `${trustee}/test-report.bin`,
    name: 'Trustee, Milan',
    product: 'Milan',
    version: 2,
    report: () => readVector(`${trustee}/test-report.bin`),
    certificates: () => [...readCertificates(`${trustee}/test-vcek.der`), ...vcekChain('Milan')],
    at: '2025-06-01',
    verdict: 'accept',
    floor: 'SNP_TCB_REPORTED_LOW',
  },
  ...['legacy', 'new'].map((age): SnpCase => ({
    row: `${trustee}/test-report.bin`,
    name: `Trustee, VCEK of another issuer, ${age} extensions`,
    product: 'Milan',
    version: 2,
    report: () => readVector(`${trustee}/test-report.bin`),
    certificates: () => [...readCertificates(`${trustee}/test-vcek-invalid-${age}.der`), ...vcekChain('Milan')],
    at: '2025-06-01',
    verdict: 'SNP_LEAF_SIGNATURE',
    floor: 'met',
  })),
  {
    row: `${trustee}/test-vlek-report.bin`,
    name: 'Trustee, Milan VLEK of AWS at VMPL 1',
    product: 'Milan',
    version: 3,
    report: () => readVector(`${trustee}/test-vlek-report.bin`),
    certificates: () => [...readCertificates(`${trustee}/test-vlek.der`), ...chain('Milan')],
    at: '2025-06-01',
    vmpl: 1,
    signingKey: 'vlek',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${virtee}/report_milan.hex`,
    name: 'virtee, Milan',
    product: 'Milan',
    version: 2,
    report: () => fromHex(readVectorText(`${virtee}/report_milan.hex`).trim()),
    certificates: () => [
      ...readCertificates(`${virtee}/vcek_milan.der`),
      ...readCertificates(`${virtee}/cert_chain_milan`),
    ],
    at: '2025-06-01',
    verdict: 'accept',
    floor: 'SNP_TCB_REPORTED_LOW',
  },
  {
    row: `${gcp}/sev-gcp.bin`,
    name: 'Google Cloud, Milan',
    product: 'Milan',
    version: 5,
    report: () => readVector(`${gcp}/sev-gcp.bin`),
    certificates: () => [
      ...readCertificates(`${gcp}/sev-gcp-vcek.pem`),
      ...readCertificates(`${gcp}/sev-gcp-cert-chain.pem`),
    ],
    at: '2026-01-15',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${oak}/milan_oc_release_evidence.binarypb`,
    name: 'Oak, Milan',
    product: 'Milan',
    version: 3,
    report: oakReport('milan_oc_release_evidence'),
    certificates: () => [oakVcek('milan_oc_release_endorsements'), ...vcekChain('Milan')],
    at: '2025-06-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${oak}/genoa_oc_evidence.binarypb`,
    name: 'Oak, Genoa',
    product: 'Genoa',
    version: 5,
    report: oakReport('genoa_oc_evidence'),
    certificates: () => [oakVcek('genoa_oc_endorsements'), ...vcekChain('Genoa')],
    at: '2025-09-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${veraison}/sevsnp-tsm-report.json`,
    name: 'Veraison, Genoa, configfs-tsm with its certificate table',
    product: 'Genoa',
    version: 3,
    report: () => tsm().outblob,
    certificates: () => [],
    envelope: () => snpEvidenceFromTsm(tsm()),
    at: '2025-09-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${veraison}/sevsnp-tsm-report.json`,
    name: 'Veraison, Genoa, the same in a ratsd token',
    product: 'Genoa',
    version: 3,
    report: () => fromBase64Url(jsonText(JSON.parse(utf8Decode(ratsdToken().value)), 'outblob')),
    certificates: () => [],
    envelope: () => ({ evidence: ratsdToken(), endorsements: [] }),
    at: '2025-09-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${openpcc}/sev_certificates.txt`,
    name: 'Azure, Genoa, inside an HCL report',
    product: 'Genoa',
    version: 3,
    report: () => insideHcl(readArmour(readVectorText(`${openpcc}/azure_sevsnp_report.txt`), 'REPORT')),
    certificates: () => [...readCertificates(`${openpcc}/sev_certificates.txt`)],
    at: '2025-09-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${openpcc}/sev_certificates.txt`,
    name: 'Google Cloud, Milan, its VCEK not recorded',
    product: 'Milan',
    version: 4,
    report: () => readArmour(readVectorText(`${openpcc}/gce_sevsnp_report.txt`), 'REPORT'),
    certificates: () => vcekChain('Milan'),
    at: '2025-09-01',
    verdict: 'SNP_LEAF_MISSING',
    floor: 'met',
  },
  {
    row: `${azure}/evidence-v0.json`,
    name: 'Azure, Milan, SNP part of vTPM evidence, version 0',
    product: 'Milan',
    version: 3,
    report: () => insideHcl(azureV0Report()),
    certificates: () => [
      ...decodePem(jsonText(readJson(`${azure}/evidence-v0.json`), 'vcek'), 'CERTIFICATE'),
      ...vcekChain('Milan'),
    ],
    at: '2025-06-01',
    verdict: 'accept',
    floor: 'met',
  },
  {
    row: `${azure}/evidence-v1.json`,
    name: 'Azure, Milan, SNP part of vTPM evidence, version 1',
    product: 'Milan',
    version: 3,
    report: () => insideHcl(azureV1Bytes('hcl_report')),
    certificates: () => [azureV1Bytes('vcek'), ...vcekChain('Milan')],
    at: '2025-06-01',
    verdict: 'accept',
    floor: 'met',
  },
];

/** The envelope of a case, with or without the CRL of its product. */
export function wrap(testCase: SnpCase, options: { crl: boolean }): { evidence: Cmw; endorsements: Cmw[] } {
  const crls = options.crl ? [crlsOf()[testCase.product === 'Genoa' ? 'Genoa' : 'Milan']] : [];
  const own = testCase.envelope?.() ?? { evidence: encodeSnpEvidence({ report: testCase.report() }), endorsements: [] };
  const extra = encodeSnpEndorsements({ certificates: testCase.certificates(), crls });
  return { evidence: own.evidence, endorsements: [...own.endorsements, extra] };
}

/** One field of a report, as it was recorded. */
export function fieldOf(report: Uint8Array, name: keyof typeof reportLayout): Uint8Array {
  const { offset, bytes } = reportLayout[name];
  return report.slice(offset, offset + bytes);
}

/** A policy that accepts what the report of a case measures. */
export function policyFor(
  testCase: SnpCase,
  changes: { snp?: object; waive?: readonly WaivableCheck[] } = {},
): AttestationPolicy {
  return parseAttestationPolicy({
    version: 1,
    id: 'recorded-evidence',
    snp: {
      products: [testCase.product],
      signingKeys: [testCase.signingKey ?? 'vcek'],
      vmpl: [testCase.vmpl ?? 0],
      measurements: [toHex(fieldOf(testCase.report(), 'measurement'))],
      minimumTcb: { [testCase.product]: {} },
      smt: 'allow',
      ...changes.snp,
    },
    waivers: (changes.waive ?? []).map((check) => ({ check, reason: 'recorded evidence' })),
  });
}

/** What a test changes about the judgement of a case. */
export interface SnpChanges {
  readonly policy?: AttestationPolicy;
  readonly crl?: boolean;
  readonly at?: string;
  readonly expectedReportData?: Uint8Array;
}

/** Everything that verifies a case. */
export function snpOptions(testCase: SnpCase, changes: SnpChanges = {}): VerifyEvidenceOptions {
  return {
    ...wrap(testCase, { crl: changes.crl ?? true }),
    policy: changes.policy ?? policyFor(testCase),
    anchors: amdAnchors,
    expectedReportData: changes.expectedReportData ?? fieldOf(testCase.report(), 'reportData'),
    now: new Date(changes.at ?? testCase.at),
  };
}
