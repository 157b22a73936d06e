import { toHex } from '@fastness/codec';
import {
  forgeAmdChain,
  forgeSnpReport,
  snpEndorsements,
  snpEvidence,
  type ForgeAmdChainOptions,
  type ForgedAmdChain,
  type ForgedProduct,
  type ForgeSnpReportOptions,
} from '@fastness/testkit';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';

/** The time at which forged evidence is judged. */
export const now = new Date('2026-06-01T12:00:00Z');
const day = 24 * 3600 * 1000;
export const after = (days: number): Date => new Date(now.getTime() + days * day);

export const reportData = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
export const measurement = Uint8Array.from({ length: 48 }, (_, index) => 0xf0 ^ index);

/** Evidence that is genuine in every respect but the ones named here. */
export interface Scenario {
  readonly product?: ForgedProduct;
  readonly kind?: 'vcek' | 'vlek';
  readonly simulated?: boolean;
  readonly chain?: Partial<ForgeAmdChainOptions>;
  readonly report?: Partial<Omit<ForgeSnpReportOptions, 'chain'>>;
  /** Replaces the certificates that are sent. */
  readonly certificates?: (chain: ForgedAmdChain) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Replaces the revocation lists that are sent. */
  readonly crls?: (chain: ForgedAmdChain) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Members of policy.snp that replace those of a policy the evidence meets. */
  readonly snp?: object;
  readonly waive?: readonly WaivableCheck[];
  /** Names the simulated root; `own` stands for the one of the chain. */
  readonly simulatedRoot?: string;
  /** Roots that count; by default that of the chain, as if it were the vendor's. */
  readonly anchors?: (chain: ForgedAmdChain) => TrustAnchors;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Pins the root of a forged chain as if it were the vendor's. */
export function anchorsOf(chain: ForgedAmdChain): TrustAnchors {
  const { product, arkSpkiSha256 } = chain;
  const certificateSha256 = '00'.repeat(32);
  return { snp: [{ name: `ARK-${product}`, product, spkiSha256: arkSpkiSha256, certificateSha256, source: 'a test' }] };
}

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepare(
  scenario: Scenario = {},
): Promise<VerifyEvidenceOptions & { readonly chain: ForgedAmdChain }> {
  const { product = 'Milan', kind = 'vcek', simulated = false } = scenario;
  const chain = await forgeAmdChain({ product, kind, now, ...scenario.chain });
  const report = await forgeSnpReport({ chain, reportData, measurement, ...scenario.report });
  const certificates = (await scenario.certificates?.(chain)) ?? chain.certificates;
  const crls = (await scenario.crls?.(chain)) ?? [chain.crl];
  const root = scenario.simulatedRoot === 'own' ? chain.arkSpkiSha256 : scenario.simulatedRoot;
  return {
    chain,
    evidence: snpEvidence({ report, simulated }),
    endorsements: [snpEndorsements({ certificates, crls })],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-evidence',
      snp: {
        products: [product],
        signingKeys: [kind],
        vmpl: [0],
        measurements: [toHex(measurement)],
        minimumTcb: {},
        smt: 'allow',
        ...scenario.snp,
      },
      ...(root === undefined ? {} : { simulated: { arkSpkiSha256: root } }),
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: (scenario.anchors ?? anchorsOf)(chain),
    expectedReportData: scenario.expectedReportData ?? reportData,
    now: scenario.at ?? now,
  };
}

export async function judge(scenario: Scenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await prepare(scenario));
}
