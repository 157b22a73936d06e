import { createHash } from 'node:crypto';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  parseAttestationPolicy,
  policySectionOf,
  vendorAnchors,
  type Cmw,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import {
  attestation,
  azureSnp,
  azureSnpPieces,
  azureSnpV0,
  azureSnpV1,
  azureTdx,
  azureTdxEvidence,
  COLLATERAL_TIME,
  gcpEvidence,
  gcpFixture,
  goTpmTools,
  nitroFixture,
  nitroTpmEvidence,
  openpcc,
  trustee,
  trusteeEvidence,
  type RecordedTpm,
} from './tpm-recorded.ts';

/** Recorded evidence with what must be said about it, under a policy that pins every register it quotes. */
export interface TpmCase {
  /** First file of the row of INDEX.tsv that the case belongs to. */
  readonly row: string;
  readonly name: string;
  readonly tee: 'tpm' | 'gcp-vtpm' | 'azure-vtpm';
  readonly read: () => RecordedTpm;
  readonly at: string;
  readonly verdict: 'accept' | ErrorCode;
  /** Waivers that the policy needs because nothing of that time was recorded; each must be reported, in this order. */
  readonly waive?: readonly WaivableCheck[];
  /** Members of the section of the kind of TPM. */
  readonly section?: object;
  /** Why the verdict is not that of the row, or what it rests on. */
  readonly note?: string;
}

const noLists = "no list of Intel's of that time was recorded";
const anyTime = '2026-06-01T00:00:00Z';

export const tpmCases: readonly TpmCase[] = [
  {
    row: `${azureSnp}/evidence-v0.json`,
    name: 'Trustee, Azure with SEV-SNP, v0',
    tee: 'azure-vtpm',
    read: azureSnpV0,
    at: '2025-06-01',
    verdict: 'accept',
  },
  {
    row: `${azureSnp}/evidence-v1.json`,
    name: 'Trustee, Azure with SEV-SNP, v1',
    tee: 'azure-vtpm',
    read: azureSnpV1,
    at: '2025-06-01',
    verdict: 'accept',
  },
  {
    row: `${azureTdx}/evidence-v0.json`,
    name: 'Trustee, Azure with TDX, under the default policy',
    tee: 'azure-vtpm',
    read: azureTdxEvidence(false),
    at: COLLATERAL_TIME,
    waive: ['DCAP_CRL_MISSING', 'DCAP_CRL_MISSING'],
    verdict: 'TDX_SEPT_VE_ENABLED',
    note: 'the row says that SEPT_VE_DISABLE is clear; the default policy requires it',
  },
  {
    row: `${azureTdx}/evidence-v0.json`,
    name: 'Trustee, Azure with TDX, where SEPT_VE_DISABLE is not required',
    tee: 'azure-vtpm',
    read: azureTdxEvidence(true),
    at: COLLATERAL_TIME,
    waive: ['DCAP_CRL_MISSING', 'DCAP_CRL_MISSING'],
    verdict: 'accept',
    note: noLists,
  },
  {
    row: `${azureSnp}/hcl-report.bin`,
    name: 'Trustee, Azure with SEV-SNP, pieces of two machines',
    tee: 'azure-vtpm',
    read: azureSnpPieces,
    at: '2025-06-01',
    verdict: 'TPM_SIGNATURE',
    note: 'hardware and runtime data hold; the quote is by a key that no recorded report names, and came without registers',
  },
  {
    row: nitroFixture,
    name: 'vaportpm, the quote beside a NitroTPM document',
    tee: 'tpm',
    read: nitroTpmEvidence,
    at: '2026-02-03T10:30:00Z',
    verdict: 'accept',
    note: 'the key is pinned here as the document names it; the document itself is verified as aws-nitrotpm',
  },
  {
    row: gcpFixture,
    name: 'vaportpm, Google Compute Engine',
    tee: 'gcp-vtpm',
    read: gcpEvidence,
    at: anyTime,
    waive: ['TPM_AK_CRL_MISSING'],
    verdict: 'accept',
    note: "no list of Google's root was recorded",
  },
  {
    row: gcpFixture,
    name: 'vaportpm, Google Compute Engine, without a revocation list',
    tee: 'gcp-vtpm',
    read: gcpEvidence,
    at: anyTime,
    verdict: 'TPM_AK_CRL_MISSING',
    note: 'lists are never left out in silence',
  },
  {
    row: gcpFixture,
    name: 'vaportpm, Google Compute Engine, before the key was certified',
    tee: 'gcp-vtpm',
    read: gcpEvidence,
    at: '2026-02-01T00:00:00Z',
    waive: ['TPM_AK_CRL_MISSING'],
    verdict: 'TPM_AK_LEAF_VALIDITY',
  },
  {
    row: `tpm/${trustee}/tpm_evidence.json`,
    name: 'Trustee, a TPM whose key is pinned',
    tee: 'tpm',
    read: trusteeEvidence,
    at: anyTime,
    verdict: 'accept',
  },
  {
    row: `tpm/${trustee}/tpm_evidence.json`,
    name: 'Trustee, a TPM whose key nobody vouches for',
    tee: 'tpm',
    read: trusteeEvidence,
    at: anyTime,
    section: { attestationKeys: ['00'.repeat(32)] },
    verdict: 'TPM_KEY_NOT_PINNED',
  },
  ...([11, 12] as const).map((algorithm): TpmCase => ({
    row: `${goTpmTools}/attestations/gce-cos-85-no-nonce.pb`,
    name: `go-tpm-tools, COS 85, nonce 9009, bank ${algorithm}`,
    tee: 'tpm',
    read: attestation('gce-cos-85-nonce9009.pb', algorithm),
    at: anyTime,
    section: { eventLog: 'required' },
    verdict: 'accept',
  })),
  ...([11, 12] as const).map((algorithm): TpmCase => ({
    row: `${goTpmTools}/attestations/gce-cos-85-no-nonce.pb`,
    name: `go-tpm-tools, COS 85, no nonce, bank ${algorithm}`,
    tee: 'tpm',
    read: attestation('gce-cos-85-no-nonce.pb', algorithm),
    at: anyTime,
    verdict: 'TPM_NONCE_MISMATCH',
  })),
  ...(['gce-cos-85-nonce9009.pb', 'gce-cos-85-no-nonce.pb'] as const).map((name): TpmCase => ({
    row: `${goTpmTools}/attestations/gce-cos-85-no-nonce.pb`,
    name: `go-tpm-tools, ${name}, bank of SHA-1`,
    tee: 'tpm',
    read: attestation(name, 4),
    at: anyTime,
    verdict: 'TPM_BANK',
    note: 'SHA-1 is no basis for a verdict; the other two quotes of the file count',
  })),
];

/** Rows that are judged piece by piece, in tests of their own, and why no verdict on the whole can be given. */
export const tpmReferenceRows: Readonly<Record<string, string>> = {
  [`${openpcc}/azure_ak_certificates.txt`]: 'certificates, HCL report, TD quotes and a log that belong to no TPM quote',
  [`${goTpmTools}/eventlogs`]: 'logs without quotes: they replay, and nobody vouches for the registers',
};

/** What a test changes about the judgement of a case. */
export interface TpmChange {
  readonly evidence?: Cmw;
  readonly nonce?: Uint8Array;
  readonly section?: object;
}

/** Everything that verifies recorded evidence, under a policy that pins every register it quotes. */
export function tpmOptions(testCase: TpmCase, change: TpmChange = {}): VerifyEvidenceOptions {
  const recorded = testCase.read();
  const { bank, pcrs, others = {}, endorsements } = recorded;
  const trust = {
    tpm: () => ({ attestationKeys: [sha256Of(recorded.key ?? new Uint8Array())] }),
    'gcp-vtpm': () => ({ projects: ['lockboot'] }),
    'azure-vtpm': () => ({}),
  };
  const section = {
    ...trust[testCase.tee](),
    bank,
    measurements: [pcrs['4']],
    pcrs: Object.fromEntries(Object.entries(pcrs).map(([index, value]) => [index, [value]])),
    ...testCase.section,
    ...change.section,
  };
  return {
    evidence: change.evidence ?? recorded.evidence,
    endorsements,
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-quotes',
      [policySectionOf[testCase.tee]]: section,
      ...others,
      waivers: [...new Set(testCase.waive)].map((check) => ({ check, reason: 'recorded evidence' })),
    }),
    anchors: vendorAnchors,
    expectedReportData: change.nonce ?? recorded.nonce,
    now: new Date(testCase.at),
  };
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
