import {
  forgeAndroidChain,
  forgeAndroidStatus,
  hardwareProperties,
  type AndroidLevel,
  type ForgeAndroidChainOptions,
  type ForgedAndroidChain,
  type ForgedKeyDescription,
  type ForgedProperty,
} from '@fastness/testkit';
import { encodeAndroidKeyEvidence, encodeAndroidStatus } from '../../src/formats/android-key/index.ts';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AndroidStatus,
  type AttestationVerdict,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';

/** The time at which forged attestations are judged. The forged root has ended by then, as Google's first one has. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (hours: number): Date => new Date(now.getTime() + hours * 3_600_000);
export const challenge = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

/** An attestation that is genuine in every respect but the ones named here. */
export interface AndroidScenario {
  readonly description?: Partial<ForgedKeyDescription>;
  /** Properties that replace those that the hardware enforces; null takes one out. */
  readonly hardware?: readonly (readonly [tag: number, value: Uint8Array | null])[];
  readonly chain?: Partial<Omit<ForgeAndroidChainOptions, 'description'>>;
  readonly levels?: ForgeAndroidChainOptions['levels'];
  /** Edits the certificates after they were signed, leaf first. */
  readonly certificates?: (certificates: readonly Uint8Array[]) => readonly Uint8Array[];
  /** Replaces the evidence as a whole. */
  readonly evidence?: (evidence: Cmw) => Cmw;
  /** The status list of the anchors, by what is on it. null: there is none. */
  readonly status?: (chain: ForgedAndroidChain) => Partial<AndroidStatus> | null;
  readonly endorsements?: (chain: ForgedAndroidChain) => readonly Cmw[];
  readonly section?: object;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: (chain: ForgedAndroidChain) => TrustAnchors;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareAndroid(
  scenario: AndroidScenario = {},
): Promise<VerifyEvidenceOptions & { readonly chain: ForgedAndroidChain }> {
  const hardware = hardwareOf(scenario.hardware ?? []);
  const chain = await forgeAndroidChain({
    now,
    description: { challenge, hardware, ...scenario.description },
    ...(scenario.levels === undefined ? {} : { levels: scenario.levels }),
    ...scenario.chain,
  });
  const evidence = encodeAndroidKeyEvidence(scenario.certificates?.(chain.certificates) ?? chain.certificates);
  return {
    chain,
    evidence: scenario.evidence?.(evidence) ?? evidence,
    endorsements: scenario.endorsements?.(chain) ?? [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-attestations',
      androidKey: { securityLevels: ['trusted-environment', 'strongbox'], ...scenario.section },
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: (scenario.anchors ?? ((forged) => androidAnchorsOf(forged, scenario)))(chain),
    expectedReportData: scenario.expectedReportData ?? challenge,
    now: scenario.at ?? now,
  };
}

export async function judgeAndroid(scenario: AndroidScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await prepareAndroid(scenario));
}

/** Pins the root of a forged chain as if it were Google's. */
export function androidAnchorsOf(
  chain: ForgedAndroidChain,
  { status }: AndroidScenario = {},
  known = false,
): TrustAnchors {
  const replaced = status?.(chain);
  const list = { json: forgeAndroidStatus(), fetchedAt: after(-1), ...replaced };
  const certificateSha256 = known ? chain.rootCertificateSha256 : '00'.repeat(32);
  const roots = [{ name: 'forged', spkiSha256: chain.rootSpkiSha256, certificateSha256, source: 'a test' }];
  return { androidKey: { roots, ...(replaced === null ? {} : { status: list }) } };
}

/** A list with the serial of one certificate on it. */
export const listed = (level: AndroidLevel, status = 'REVOKED') => ({
  status: (chain: ForgedAndroidChain) => ({ json: forgeAndroidStatus({ [chain.serials[level]]: { status } }) }),
});

/** The same list, sent along instead of anchored. */
export const sent = (json: Uint8Array = forgeAndroidStatus()) => ({
  status: () => null,
  endorsements: () => [encodeAndroidStatus(json)],
});

function hardwareOf(changes: NonNullable<AndroidScenario['hardware']>): readonly ForgedProperty[] {
  const replaced = changes.filter((change): change is ForgedProperty => change[1] !== null);
  const left = new Set(changes.filter(([, value]) => value === null).map(([tag]) => tag));
  return hardwareProperties(...replaced).filter(([tag]) => !left.has(tag));
}
