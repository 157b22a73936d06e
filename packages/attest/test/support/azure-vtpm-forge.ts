import { toHex } from '@fastness/codec';
import {
  forgeAmdChain,
  forgeAzureAkChain,
  forgeCollateral,
  forgeHclReport,
  forgeIntelChain,
  forgeQuote,
  forgeRuntimeData,
  forgeSnpReport,
  forgeTdReport,
  hclReportData,
  hclReportTypes,
  snpEndorsements,
  tdBody,
  type ForgeAkChainOptions,
  type ForgedAkChain,
  type ForgedKeys,
  type ForgeHclReportOptions,
} from '@fastness/testkit';
import {
  verifyEvidence,
  type AttestationVerdict,
  type AzureVtpmClaims,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
} from '../../src/index.ts';
import {
  encodeAzureVtpmEvidence,
  encodeVtpmEndorsements,
  type AzureVtpmEvidence,
} from '../../src/formats/azure-vtpm/index.ts';
import { encodeDcapCollateral } from '../../src/formats/tdx/index.ts';
import { vtpmAnchor } from './gcp-vtpm-forge.ts';
import { forgeQuoteContent, nonce, now, policyOf, quoteSection, rsaKeys, type QuoteScenario } from './tpm-forge.ts';

export const hardwareMeasurement = Uint8Array.from({ length: 48 }, (_, index) => 0xe0 ^ index);
export const vmId = '00112233-4455-6677-8899-aabbccddeeff';

/** Evidence of a confidential VM that is genuine in every respect but the ones named here. */
export interface AzureVtpmScenario extends QuoteScenario {
  /** Default: SEV-SNP. */
  readonly hardware?: 'snp' | 'tdx';
  /** Edits the runtime data before the hardware binds it. */
  readonly runtime?: (runtime: Record<string, unknown>) => unknown;
  /** Replaces the text of the runtime data. */
  readonly runtimeData?: Uint8Array;
  /** What the hardware binds instead of the hash of the runtime data. */
  readonly reportData?: Uint8Array;
  readonly debug?: boolean;
  readonly hcl?: Partial<ForgeHclReportOptions>;
  readonly editHcl?: (report: Uint8Array) => Uint8Array;
  /** The key that signs the quote. Default: the one in the runtime data. */
  readonly signer?: ForgedKeys;
  /** Sends a certificate of the attestation key. */
  readonly certified?: boolean;
  readonly akChain?: Partial<ForgeAkChainOptions>;
  /** Edits what is sent. */
  readonly sent?: (evidence: AzureVtpmEvidence, parts: AzureParts) => AzureVtpmEvidence;
  /** Edits the endorsements that are sent. */
  readonly endorsed?: (endorsements: Cmw[]) => Cmw[];
  /** Members of the hardware's section that replace those of a policy the evidence meets; null leaves the section out. */
  readonly hardwareSection?: object | null;
  readonly anchors?: (anchors: TrustAnchors) => TrustAnchors;
}

/** What evidence was made of. */
interface AzureParts {
  readonly akChain: ForgedAkChain;
  /** The hardware's own evidence. */
  readonly hardware: Uint8Array;
}

interface ForgedHardware {
  readonly report: Uint8Array;
  readonly tdQuote?: Uint8Array;
  readonly reportType: number;
  readonly endorsement: Cmw;
  readonly section: readonly [name: string, section: object];
  readonly anchors: TrustAnchors;
}

async function forgeSnp(reportData: Uint8Array, debug: boolean): Promise<ForgedHardware> {
  const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
  const measurement = hardwareMeasurement;
  const report = await forgeSnpReport({
    chain,
    reportData,
    measurement,
    ...(debug ? { policy: 0x3_0000n | (1n << 19n) } : {}),
  });
  const pin = { name: 'ARK-Milan', product: 'Milan', spkiSha256: chain.arkSpkiSha256 } as const;
  return {
    report,
    reportType: hclReportTypes.snp,
    endorsement: snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] }),
    section: [
      'snp',
      {
        products: ['Milan'],
        signingKeys: ['vcek'],
        vmpl: [0],
        measurements: [toHex(measurement)],
        minimumTcb: {},
        smt: 'allow',
      },
    ],
    anchors: { snp: [{ ...pin, certificateSha256: '00'.repeat(32), source: 'a test' }] },
  };
}

async function forgeTdx(reportData: Uint8Array): Promise<ForgedHardware> {
  const chain = await forgeIntelChain({ now });
  const body = tdBody({ mrTd: hardwareMeasurement, reportData }, 'td-1.0');
  const collateral = await forgeCollateral({ chain, tee: 'tdx', now });
  const pin = { name: 'Intel SGX Root CA', spkiSha256: chain.rootSpkiSha256, certificateSha256: '00'.repeat(32) };
  return {
    report: forgeTdReport(body),
    tdQuote: await forgeQuote({ chain, version: 4, body }),
    reportType: hclReportTypes.tdx,
    endorsement: encodeDcapCollateral(collateral),
    section: [
      'tdx',
      {
        measurements: [toHex(hardwareMeasurement)],
        rtmrs: {},
        tcbStatuses: ['UpToDate'],
        minimumTcbEvaluationDataNumber: 20,
      },
    ],
    anchors: { intel: [{ ...pin, source: 'a test' }] },
  };
}

export async function prepareAzureVtpm(scenario: AzureVtpmScenario = {}): Promise<VerifyEvidenceOptions> {
  const { hardware: kind = 'snp', certified = false } = scenario;
  const runtimeData = scenario.runtimeData ?? (await forgeRuntimeData(rsaKeys, scenario.runtime));
  const reportData = scenario.reportData ?? (await hclReportData(runtimeData));
  const hardware = kind === 'snp' ? await forgeSnp(reportData, scenario.debug === true) : await forgeTdx(reportData);
  const { report, reportType, tdQuote } = hardware;
  const hclReport = forgeHclReport({ hardware: report, reportType, runtimeData, ...scenario.hcl });
  const akChain = await forgeAzureAkChain({ now, attestationKeys: rsaKeys, ...scenario.akChain });
  const content = await forgeQuoteContent(scenario, scenario.signer ?? rsaKeys);
  const evidence: AzureVtpmEvidence = {
    ...content,
    hclReport: scenario.editHcl?.(hclReport) ?? hclReport,
    ...(tdQuote === undefined ? {} : { tdQuote }),
    ...(certified ? { certificates: [akChain.certificates.leaf] } : {}),
  };
  const { intermediate, root } = akChain.certificates;
  const endorsements = [
    hardware.endorsement,
    ...(certified ? [encodeVtpmEndorsements({ certificates: [intermediate, root], crls: [akChain.crl] })] : []),
  ];
  const [name, section] = hardware.section;
  const below = scenario.hardwareSection === null ? {} : { [name]: { ...section, ...scenario.hardwareSection } };
  const anchors = { ...hardware.anchors, azureVtpm: [vtpmAnchor(akChain)] };
  return {
    evidence: encodeAzureVtpmEvidence(scenario.sent?.(evidence, { akChain, hardware: report }) ?? evidence),
    endorsements: scenario.endorsed?.(endorsements) ?? endorsements,
    policy: policyOf('azureVtpm', { ...quoteSection, ...scenario.section }, scenario, below),
    anchors: scenario.anchors?.(anchors) ?? anchors,
    expectedReportData: scenario.expectedReportData ?? nonce,
    now: scenario.at ?? now,
  };
}

export async function judgeAzureVtpm(
  scenario: AzureVtpmScenario = {},
): Promise<AttestationVerdict & { claims: AzureVtpmClaims }> {
  const verdict = await verifyEvidence(await prepareAzureVtpm(scenario));
  const { claims } = verdict;
  if (claims.tee !== 'azure-vtpm') throw new Error('claims of something else');
  return { ...verdict, claims };
}
