import {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  EVIDENCE_COLLECTION_TYPE,
  parseAttestationPolicy,
  reportDataOf,
  VerificationCache,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type CmwCollection,
  type CompositeVerdict,
  type SessionBinding,
  type VerifyEvidenceOptions,
  type VerifySessionOptions,
} from '../../src/index.ts';
import { now, prepare, type Scenario } from './forge.ts';
import { prepareNvidia, type NvidiaScenario } from './nvidia-forge.ts';
import { prepareTpm, type TpmScenario } from './tpm-forge.ts';

export const session: SessionBinding = {
  purpose: 'key-release',
  nonce: new Uint8Array(32).fill(1),
  keyConfigDigest: new Uint8Array(32).fill(2),
  releaseDigest: new Uint8Array(32).fill(3),
};

/** A machine with GPUs whose evidence is genuine in every respect but the ones named here. */
export interface CompositeScenario {
  /** What the attester takes for the session. */
  readonly attested?: Partial<SessionBinding>;
  /** What the verifier takes for it. */
  readonly expected?: Partial<SessionBinding>;
  /** Devices by label, with what is special about them. Default: one GPU. */
  readonly gpus?: Readonly<Record<string, NvidiaScenario>>;
  /** Adds a TPM under tpm0. */
  readonly tpm?: TpmScenario;
  readonly cpu?: Scenario;
  /** Label that the nonce of a device is derived from, where it is not its own. */
  readonly askedAs?: Readonly<Record<string, string>>;
  /** Replaces the devices whose digest goes into the report data. */
  readonly digested?: (devices: Map<string, Cmw>) => Map<string, Cmw>;
  /** Replaces the records that are sent. */
  readonly records?: (records: Map<string, Cmw>) => Map<string, Cmw>;
  readonly type?: string | null;
  /** Members that replace those of the policy; undefined leaves a member out. */
  readonly policy?: Readonly<Record<string, unknown>>;
  readonly endorsements?: (endorsements: readonly Cmw[]) => readonly Cmw[];
}

const cache = new VerificationCache();

/** Everything that `verifyEvidence` takes, with real signatures over a real binding. */
export async function prepareComposite(
  scenario: CompositeScenario = {},
): Promise<VerifySessionOptions & { readonly evidence: CmwCollection }> {
  const attested = { ...session, ...scenario.attested };
  const prepared: [string, VerifyEvidenceOptions][] = [];
  for (const [label, gpu] of Object.entries(scenario.gpus ?? { gpu0: {} })) {
    const nonce = await deviceNonceOf(attested, scenario.askedAs?.[label] ?? label);
    prepared.push([label, await prepareNvidia({ ...gpu, report: { nonce, ...gpu.report } })]);
  }
  if (scenario.tpm !== undefined) {
    const nonce = await deviceNonceOf(attested, 'tpm0');
    prepared.push(['tpm0', await prepareTpm({ ...scenario.tpm, quote: { nonce, ...scenario.tpm.quote } })]);
  }
  const devices = new Map(prepared.map(([label, { evidence }]) => [label, evidence]));
  const deviceEvidenceDigest = await deviceEvidenceDigestOf(scenario.digested?.(new Map(devices)) ?? devices);
  const reportData = await reportDataOf({ ...attested, deviceEvidenceDigest });
  const cpu = await prepare({ ...scenario.cpu, report: { reportData, ...scenario.cpu?.report } });
  const records = new Map([['cpu0', cpu.evidence], ...devices]);
  const { type = EVIDENCE_COLLECTION_TYPE } = scenario;
  const endorsements = [cpu, ...prepared.map(([, options]) => options)].flatMap((options) => options.endorsements);
  const [first] = prepared;
  const tpm = prepared.find(([label]) => label === 'tpm0')?.[1].policy.tpm;
  const given = {
    version: 1,
    id: 'composite',
    snp: cpu.policy.snp,
    ...(first === undefined
      ? {}
      : {
          nvidiaGpu: { architectures: ['hopper', 'blackwell'] },
          nvidiaNvswitch: {},
          ...(tpm === undefined ? {} : { tpm }),
          devices: [
            { kind: 'nvidia-gpu', minimum: 1, maximum: 8 },
            { kind: 'nvidia-nvswitch', minimum: 0, maximum: 4 },
            { kind: 'tpm', minimum: 0, maximum: 1 },
          ],
        }),
    waivers: [],
    ...scenario.policy,
  };
  return {
    evidence: { ...(type === null ? {} : { type }), records: scenario.records?.(new Map(records)) ?? records },
    endorsements: scenario.endorsements?.(endorsements) ?? endorsements,
    policy: parseAttestationPolicy(
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ),
    anchors: {
      ...cpu.anchors,
      nvidiaDevices: prepared.flatMap(([, { anchors }]) => anchors.nvidiaDevices ?? []),
      nvidiaRims: prepared.flatMap(([, { anchors }]) => anchors.nvidiaRims ?? []),
    },
    session: { ...session, ...scenario.expected },
    now,
    cache,
  };
}

export async function judgeComposite(scenario: CompositeScenario = {}): Promise<AttestationVerdict | CompositeVerdict> {
  return verifyEvidence(await prepareComposite(scenario));
}
