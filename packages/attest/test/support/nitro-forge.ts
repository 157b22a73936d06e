import { toHex } from '@fastness/codec';
import {
  forgedPcrs,
  forgeNitroChain,
  forgeNitroDocument,
  nitroEvidence,
  type ForgedNitroChain,
  type ForgeNitroChainOptions,
  type ForgeNitroDocumentOptions,
} from '@fastness/testkit';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';

/** The time at which forged documents are judged. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000);
export const reportData = Uint8Array.from({ length: 64 }, (_, index) => index + 1);
export const hexOf = (index: number): string => toHex(forgedPcrs(32).get(index) ?? new Uint8Array());

/** A document that is genuine in every respect but the ones named here. */
export interface NitroScenario {
  readonly kind?: 'enclave' | 'nitrotpm';
  /** The kind that its media type names. Default: its own. */
  readonly sentAs?: 'enclave' | 'nitrotpm';
  readonly chain?: Partial<ForgeNitroChainOptions>;
  readonly document?: Partial<Omit<ForgeNitroDocumentOptions, 'chain'>>;
  /** Edits the document after it was signed. */
  readonly bytes?: (document: Uint8Array) => Uint8Array;
  /** Members of the section that replace those of a policy the document meets. */
  readonly section?: object;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: (chain: ForgedNitroChain) => TrustAnchors;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Pins the root of a forged chain as if it were AWS's; `known` pins its certificate as well. */
export function nitroAnchors(chain: ForgedNitroChain, known = false): TrustAnchors {
  const certificateSha256 = known ? chain.rootCertificateSha256 : '00'.repeat(32);
  return { nitro: [{ name: 'forged', spkiSha256: chain.rootSpkiSha256, certificateSha256, source: 'a test' }] };
}

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareNitro(
  scenario: NitroScenario = {},
): Promise<VerifyEvidenceOptions & { readonly chain: ForgedNitroChain }> {
  const { kind = 'enclave' } = scenario;
  const moduleId = kind === 'enclave' ? {} : { moduleId: 'i-0f0f0f0f0f0f0f0f0-tpm0000000000000000' };
  const chain = await forgeNitroChain({ now, ...moduleId, ...scenario.chain });
  const document = await forgeNitroDocument({
    chain,
    kind,
    timestamp: after(-1),
    userData: reportData,
    ...scenario.document,
  });
  const section = { measurements: [hexOf(kind === 'enclave' ? 0 : 4)], ...scenario.section };
  return {
    chain,
    evidence: nitroEvidence(scenario.bytes?.(document) ?? document, scenario.sentAs ?? kind),
    endorsements: [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-documents',
      nitro: section,
      nitroTpm: section,
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: (scenario.anchors ?? nitroAnchors)(chain),
    expectedReportData: scenario.expectedReportData ?? reportData,
    now: scenario.at ?? now,
  };
}

export async function judgeNitro(scenario: NitroScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await prepareNitro(scenario));
}
