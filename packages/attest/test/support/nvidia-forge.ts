import {
  forgeChainOcsp,
  forgedIndexes,
  forgedMeasurements,
  forgeNvidiaChain,
  forgeNvidiaReport,
  forgeRim,
  forgeRimChain,
  nvidiaLevels,
  rimLevels,
  type ForgeChainOcspOptions,
  type ForgedNvidiaChain,
  type ForgeNvidiaChainOptions,
  type ForgeNvidiaReportOptions,
  type ForgeRimChainOptions,
  type ForgeRimOptions,
  type NvidiaLevel,
  type RimLevel,
} from '@fastness/testkit';
import {
  parseAttestationPolicy,
  VerificationCache,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import { encodeNvidiaEndorsements, encodeNvidiaEvidence, type NvidiaSettings } from '../../src/formats/nvidia/index.ts';

/** The time at which forged reports are judged. */
export const now = new Date('2026-06-01T12:00:00Z');
export const after = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000);
export const nonce = Uint8Array.from({ length: 32 }, (_, index) => index + 1);
const DRIVER = '580.95.05';
const VBIOS = '96.00.5E.00.01';

type Chain = ForgedNvidiaChain<NvidiaLevel>;
type Documents = ForgedNvidiaChain<RimLevel>;

/** A device and its documents that are genuine in every respect but the ones named here. */
export interface NvidiaScenario {
  readonly kind?: 'gpu' | 'nvswitch';
  /** The kind that its media type names. Default: its own. */
  readonly sentAs?: 'nvidia-gpu' | 'nvidia-nvswitch';
  readonly chain?: Partial<ForgeNvidiaChainOptions>;
  /** DER, leaf first. */
  readonly certificates?: (chain: Chain) => readonly Uint8Array[];
  readonly report?: Partial<ForgeNvidiaReportOptions>;
  /** Edits the report after it was signed. */
  readonly bytes?: (report: Uint8Array) => Uint8Array;
  /** null leaves them out. Default: confidential computing on, developer tools off. */
  readonly settings?: NvidiaSettings | null;
  readonly rimChain?: Partial<ForgeRimChainOptions>;
  readonly driverRim?: Partial<ForgeRimOptions>;
  readonly vbiosRim?: Partial<ForgeRimOptions>;
  /** Edits the list of documents: driver's (GPUs only) and firmware's. */
  readonly rims?: (rims: readonly Uint8Array[]) => readonly Uint8Array[];
  readonly deviceOcsp?: Partial<ForgeChainOcspOptions<NvidiaLevel>>;
  readonly rimOcsp?: Partial<ForgeChainOcspOptions<RimLevel>>;
  /** Edits the list of responses: three about the device, three about the documents. */
  readonly ocsp?: (responses: readonly Uint8Array[]) => readonly Uint8Array[];
  /** Edits the envelope. */
  readonly evidence?: (evidence: Cmw) => Cmw;
  /** Members of the section that replace those of a policy the report meets. */
  readonly section?: object;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: (chain: Chain, documents: Documents) => TrustAnchors;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Pins the forged roots as if they were NVIDIA's; `known` pins their certificates as well. */
export function nvidiaAnchors(chain: Chain, documents: Documents, known = false): TrustAnchors {
  const anchor = ({ rootSpkiSha256, rootCertificateSha256 }: Chain | Documents) => [
    {
      name: 'forged',
      spkiSha256: rootSpkiSha256,
      certificateSha256: known ? rootCertificateSha256 : '00'.repeat(32),
      source: 'a test',
    },
  ];
  return { nvidiaDevices: anchor(chain), nvidiaRims: anchor(documents) };
}

/** The digests of indexes, each with one that does not fit before it. */
export function references(
  indexes: readonly number[],
  kind: 'gpu' | 'nvswitch' = 'gpu',
): ReadonlyMap<number, readonly Uint8Array[]> {
  const measured = forgedMeasurements(kind);
  return new Map(
    indexes.map((index) => [index, [new Uint8Array(48).fill(0xee), measured.get(index) ?? new Uint8Array(48)]]),
  );
}

const made = new Map<string, Promise<unknown>>();

/** What no scenario changes is forged once: signing takes most of the time of these tests. */
async function shared<T>(unchanged: boolean, name: string, make: () => Promise<T>): Promise<T> {
  if (!unchanged) return make();
  const known = made.get(name) ?? make();
  made.set(name, known);
  // A name stands for one call of this function, so for one type.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return known as Promise<T>;
}

/** Signatures that held once hold again; those of scenarios that break one were never seen. */
const cache = new VerificationCache();

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareNvidia(scenario: NvidiaScenario = {}): Promise<VerifyEvidenceOptions> {
  const { kind = 'gpu', settings = { confidentialComputing: true, developerTools: false } } = scenario;
  const chip = kind === 'gpu' ? 'GH100' : 'LS_10';
  const [chain, documents] = await Promise.all([
    shared(scenario.chain === undefined, `chain ${chip}`, async () =>
      forgeNvidiaChain({ now, chip, ...scenario.chain }),
    ),
    shared(scenario.rimChain === undefined, 'documents', async () => forgeRimChain({ now, ...scenario.rimChain })),
  ]);
  const product = (scenario.chain?.chip ?? chip).replace('_', '');
  const common = { chain: documents, product, edition: kind === 'gpu' ? ('GPU' as const) : ('SWITCH' as const) };
  const plain = scenario.rimChain === undefined;
  const [report, driver, vbios, deviceResponses, rimResponses] = await Promise.all([
    forgeNvidiaReport({ keys: chain.keys.leaf, nonce, kind, ...scenario.report }),
    shared(plain && scenario.driverRim === undefined, `driver ${product}`, async () =>
      forgeRim({ ...common, version: DRIVER, measurements: references(forgedIndexes.driver), ...scenario.driverRim }),
    ),
    shared(plain && scenario.vbiosRim === undefined, `firmware ${product}`, async () =>
      forgeRim({
        ...common,
        version: kind === 'gpu' ? VBIOS : '96.10.55.00.01',
        measurements: kind === 'gpu' ? references(forgedIndexes.vbios) : references(forgedIndexes.nvswitch, kind),
        ...scenario.vbiosRim,
      }),
    ),
    shared(scenario.chain === undefined && scenario.deviceOcsp === undefined, `device responses ${chip}`, async () =>
      forgeChainOcsp({ chain, levels: nvidiaLevels.slice(1), now, nonce, ...scenario.deviceOcsp }),
    ),
    shared(plain && scenario.rimOcsp === undefined, 'document responses', async () =>
      forgeChainOcsp({ chain: documents, levels: rimLevels, now, nonce, delegated: false, ...scenario.rimOcsp }),
    ),
  ]);
  const rims = kind === 'gpu' ? [driver, vbios] : [vbios];
  const responses = [...deviceResponses, ...rimResponses];
  const evidence = encodeNvidiaEvidence({
    report: scenario.bytes?.(report) ?? report,
    certificates: scenario.certificates?.(chain) ?? chain.certificates,
    tee: scenario.sentAs ?? (kind === 'gpu' ? 'nvidia-gpu' : 'nvidia-nvswitch'),
    ...(settings === null || kind !== 'gpu' ? {} : { settings }),
  });
  return {
    evidence: scenario.evidence?.(evidence) ?? evidence,
    endorsements: [
      encodeNvidiaEndorsements({
        rims: scenario.rims?.(rims) ?? rims,
        ocspResponses: scenario.ocsp?.(responses) ?? responses,
      }),
    ],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-reports',
      nvidiaGpu: { architectures: ['hopper', 'blackwell'], ...(kind === 'gpu' ? scenario.section : {}) },
      nvidiaNvswitch: kind === 'nvswitch' ? { ...scenario.section } : {},
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: (scenario.anchors ?? nvidiaAnchors)(chain, documents),
    expectedReportData: scenario.expectedReportData ?? nonce,
    now: scenario.at ?? now,
  };
}

export async function judgeNvidia(scenario: NvidiaScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence({ ...(await prepareNvidia(scenario)), cache });
}
