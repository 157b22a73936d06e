import { toHex } from '@fastness/codec';
import { parseAttestationPolicy, tcbStatuses, vendorAnchors, type VerifyEvidenceOptions } from '@fastness/attest';
import { parseCertificate } from '@fastness/codec/x509';
import { encodeNitroEvidence, parse as parseNitro } from '@fastness/attest/formats/nitro';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { dcapCases, wrapDcap } from '../packages/attest/test/support/dcap-cases.ts';
import { nitroVectors } from '../packages/attest/test/support/nitro-vectors.ts';
import { fieldOf, snpCases, wrap } from '../packages/attest/test/support/snp-cases.ts';
import type { DcapCollateral } from '@fastness/attest/formats/tdx';

/** Recorded evidence with everything that verifies it, and the pieces that other verifiers take. */
export interface Recorded {
  readonly name: string;
  readonly tee: 'sev-snp' | 'tdx' | 'sgx' | 'aws-nitro';
  readonly options: VerifyEvidenceOptions;
  /** The signature that counts as one. */
  readonly floor: { readonly curve: 'P-256' | 'P-384'; readonly hash: 'sha256' | 'sha384' };
  /** Signatures that remain when chain and collateral are known. */
  readonly fresh: number;
  /** What one verification may cost, in bare verifies. */
  readonly goal: number;
  /** Report, quote or document. */
  readonly bytes: Uint8Array;
  /** Certificates, leaf first; SEV-SNP only. */
  readonly certificates: readonly Uint8Array[];
  readonly collateral?: DcapCollateral;
}

export function recordedEvidence(): readonly Recorded[] {
  return [
    snp('Trustee, Milan'),
    snp('Azure, Genoa'),
    dcap('tdx', 'dcap-qvl TDX v4'),
    dcap('sgx', 'dcap-qvl SGX v3'),
    nitro('evervault, enclave'),
  ];
}

const policyOf = (section: object, waivers: readonly object[] = []) =>
  parseAttestationPolicy({ version: 1, id: 'bench', ...section, waivers });

function snp(name: string): Recorded {
  const found = named(snpCases, name);
  const report = found.report();
  return {
    name: `AMD SEV-SNP: ${name}`,
    tee: 'sev-snp',
    floor: { curve: 'P-384', hash: 'sha384' },
    fresh: 1,
    goal: 2,
    bytes: report,
    certificates: found.certificates().toSorted((a, b) => Number(isLeaf(b)) - Number(isLeaf(a))),
    options: {
      ...wrap(found, { crl: true }),
      policy: policyOf({
        snp: {
          products: [found.product],
          signingKeys: ['vcek'],
          vmpl: [0],
          measurements: [toHex(fieldOf(report, 'measurement'))],
          minimumTcb: { [found.product]: {} },
          smt: 'allow',
        },
      }),
      anchors: vendorAnchors,
      expectedReportData: fieldOf(report, 'reportData'),
      now: new Date(found.at),
    },
  };
}

const isLeaf = (der: Uint8Array): boolean => parseCertificate(der).subject.commonName === 'SEV-VCEK';

function dcap(tee: 'tdx' | 'sgx', name: string): Recorded {
  const found = named(dcapCases, name);
  const quote = found.quote();
  const wrapped = wrapDcap(found);
  const { reportData, measurement } =
    tee === 'tdx' ? tdFacts(parseTdx(wrapped.evidence).body) : sgxFacts(parseSgx(wrapped.evidence).body);
  const collateral = found.collateral?.();
  return {
    name: `Intel ${tee.toUpperCase()}: ${found.name}`,
    tee,
    floor: { curve: 'P-256', hash: 'sha256' },
    fresh: 2,
    goal: 40,
    bytes: quote,
    certificates: [],
    ...(collateral === undefined ? {} : { collateral }),
    options: {
      ...wrapped,
      policy: policyOf({
        [tee]: {
          measurements: [measurement],
          ...(tee === 'tdx' ? { rtmrs: {} } : { signers: sgxSigners(wrapped.evidence) }),
          tcbStatuses: [...tcbStatuses],
          minimumTcbEvaluationDataNumber: 0,
        },
      }),
      anchors: vendorAnchors,
      expectedReportData: Uint8Array.from(Buffer.from(reportData, 'hex')),
      now: new Date(found.at),
    },
  };
}

const tdFacts = (body: { readonly reportData: string; readonly mrTd: string }) => ({
  reportData: body.reportData,
  measurement: body.mrTd,
});
const sgxFacts = (body: { readonly reportData: string; readonly mrEnclave: string }) => ({
  reportData: body.reportData,
  measurement: body.mrEnclave,
});

function sgxSigners(evidence: VerifyEvidenceOptions['evidence']): readonly object[] {
  const { body } = parseSgx(evidence);
  return [{ mrSigner: body.mrSigner, isvProdId: body.isvProdId, minimumIsvSvn: body.isvSvn }];
}

function nitro(name: string): Recorded {
  const found = named(nitroVectors, name);
  const bytes = found.document();
  const evidence = encodeNitroEvidence(bytes, found.tee);
  const { document } = parseNitro(evidence);
  return {
    name: `AWS Nitro: ${name}`,
    tee: 'aws-nitro',
    floor: { curve: 'P-384', hash: 'sha384' },
    fresh: 1,
    goal: 6,
    bytes,
    certificates: [],
    options: {
      evidence,
      endorsements: [],
      policy: policyOf({
        nitro: {
          measurements: [toHex(document.pcrs.get(0) ?? new Uint8Array())],
          binding: 'nonce',
          maxAgeSeconds: 10_800,
        },
      }),
      anchors: vendorAnchors,
      expectedReportData: document.nonce ?? new Uint8Array(),
      now: new Date(found.at),
    },
  };
}

function named<T extends { readonly name: string }>(cases: readonly T[], part: string): T {
  const found = cases.find(({ name }) => name.includes(part));
  if (found === undefined) throw new Error(`no case is named ${part}`);
  return found;
}
