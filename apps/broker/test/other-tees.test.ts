import {
  cmwFromJson,
  cmwToJson,
  deviceEvidenceDigestOf,
  deviceNonceOf,
  EVIDENCE_COLLECTION_TYPE,
  evidenceToJson,
  reportDataFor,
  type Cmw,
  type CmwCollection,
  type Tee,
} from '@fastness/attest';
import { encodeDcapCollateral, encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { fromBase64Url, toHex } from '@fastness/codec/bytes';
import type { Release } from '@fastness/model/release';
import {
  forgeCollateral,
  forgedPcrs,
  forgeIntelChain,
  forgeNitroChain,
  forgeNitroDocument,
  forgeQuote,
  nitroEvidence,
  tdBody,
} from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Broker } from '../src/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  type Answer,
  type TestEnclave,
} from './actors.ts';
import { prepareNvidia } from '../../../packages/attest/test/support/nvidia-forge.ts';
import { bootWith, bootedTd, goodBoot, pinnedBoot } from '../../../packages/attest/test/support/tdx-boot.ts';
import { temporaryDirectory } from './temporary.ts';
import { createWorld, dawn, type TestRelease, type World } from './world.ts';

/** Evidence of one kind of TEE for given report data, with real signatures. */
interface Machine {
  readonly tee: Tee & Release['measurements'][number]['tee'];
  readonly measurement: string;
  readonly attest: (reportData: Uint8Array) => Promise<{ evidence: Cmw; endorsements: readonly Cmw[] }>;
}

const directory = temporaryDirectory();
const mrTd = new Uint8Array(48).fill(0x7d);
const source = 'forged for this test';
let world: World;
let broker: Broker;
let enclave: TestEnclave;
let machines: Record<'tdx' | 'nitro', Machine>;
let release: TestRelease;
/** How the trust domain has booted. */
let booted = goodBoot;

beforeAll(async () => {
  world = await createWorld(directory);
  enclave = await createEnclave();
  const [intel, aws] = await Promise.all([forgeIntelChain({ now: dawn }), forgeNitroChain({ now: dawn })]);
  machines = {
    tdx: {
      tee: 'tdx',
      measurement: toHex(mrTd),
      attest: async (reportData) => {
        const { td, eventLog } = await bootedTd(booted);
        const body = tdBody({ ...td, mrTd, reportData }, 'td-1.0');
        const quote = await forgeQuote({ chain: intel, version: 4, body });
        const collateral = await forgeCollateral({ chain: intel, tee: 'tdx', now: dawn });
        return {
          evidence: encodeTdxEvidence({ quote, eventLog }),
          endorsements: [encodeDcapCollateral(collateral)],
        };
      },
    },
    nitro: {
      tee: 'aws-nitro',
      measurement: toHex(forgedPcrs(1).get(0) ?? new Uint8Array()),
      attest: async (userData) => {
        const document = await forgeNitroDocument({ chain: aws, timestamp: dawn, userData });
        return { evidence: nitroEvidence(document, 'enclave'), endorsements: [] };
      },
    },
  };
  const { attestation } = world.policy;
  const policy = {
    ...world.policy,
    attestation: {
      ...attestation,
      tdx: {
        measurements: 'from-release' as const,
        ...(await pinnedBoot(goodBoot)),
        tcbStatuses: ['UpToDate' as const],
        minimumTcbEvaluationDataNumber: 0,
      },
      nitro: { measurements: 'from-release' as const },
    },
  };
  const certificateSha256 = '00'.repeat(32);
  const anchors = {
    ...world.anchors,
    intel: [{ name: 'forged', spkiSha256: intel.rootSpkiSha256, certificateSha256, source }],
    nitro: [{ name: 'forged', spkiSha256: aws.rootSpkiSha256, certificateSha256, source }],
  };
  broker = await world.start({ policy, anchors });
  const measurements = Object.values(machines).map(({ tee, measurement: value }) => ({ tee, simulated: false, value }));
  release = await admin.registered(
    broker.url,
    await world.release({ modelId: 'anywhere', measurements }, { modelId: 'anywhere' }),
  );
});
afterAll(() => broker.close());

/** Sends a request whose evidence is of this machine. `of`: the release that it asks for. */
async function ask(machine: Machine, of: TestRelease = release): Promise<Answer> {
  const { nonce } = await challenge(broker.url);
  const reportData = await reportDataFor(machine.tee, {
    purpose: 'key-release',
    nonce: fromBase64Url(nonce),
    keyConfigDigest: enclave.keyConfigDigest,
    releaseDigest: of.digest,
    deviceEvidenceDigest: null,
  });
  const { evidence, endorsements } = await machine.attest(reportData);
  const request = { evidence: cmwToJson(evidence), endorsements: endorsements.map(cmwToJson) };
  return call(`${broker.url}/v1/key-releases`, {
    method: 'POST',
    json: await attest({ world, enclave, release: of, nonce, request }),
  });
}

describe('a release for several TEEs', () => {
  it.each(['tdx', 'nitro'] as const)('opens for %s with the measurement that it lists', async (name) => {
    const machine = machines[name];
    granted(await ask(machine));
    const entry = (await admin.audit(broker.url)).at(-1);
    expect(entry?.facts).toMatchObject({ tee: machine.tee, measurement: machine.measurement, simulated: false });
  });

  it.each([
    ['kernel', 'event 1 of RTMR1, kernel: '],
    ['command line', 'event 1 of RTMR2, command line: '],
    ['archive', 'event 2 of RTMR2, archive: '],
    ['release', 'event 2 of RTMR3, release: '],
  ])('does not open for a trust domain that has booted another %s, and says so', async (name, event) => {
    booted = bootWith(name, 'another');
    const answer = await ask(machines.tdx).finally(() => {
      booted = goodBoot;
    });
    expect(refusalOf(answer)).toBe('TDX_RTMR_NOT_ALLOWED');
    expect(JSON.stringify(answer.body)).toContain(event);
  });

  it('does not open with the measurement of another TEE', async () => {
    const crossed = [
      { tee: 'tdx' as const, simulated: false, value: machines.nitro.measurement },
      { tee: 'aws-nitro' as const, simulated: false, value: machines.tdx.measurement },
    ];
    const other = await world.release({ modelId: 'crossed', measurements: crossed }, { modelId: 'crossed' });
    await admin.registered(broker.url, other);
    expect(refusalOf(await ask(machines.tdx, other))).toBe('TDX_MEASUREMENT_NOT_ALLOWED');
    expect(refusalOf(await ask(machines.nitro, other))).toBe('NITRO_MEASUREMENT_NOT_ALLOWED');
  });

  it('does not open for a TEE that it does not list', async () => {
    const measurements = [{ tee: 'tdx' as const, simulated: false, value: machines.tdx.measurement }];
    const other = await world.release({ modelId: 'narrow', measurements }, { modelId: 'narrow' });
    await admin.registered(broker.url, other);
    granted(await ask(machines.tdx, other));
    expect(refusalOf(await ask(machines.nitro, other))).toBe('BROKER_TEE_NOT_IN_RELEASE');
  });

  it.each(['tdx', 'nitro'] as const)('ends on a platform of %s that was revoked', async (name) => {
    granted(await ask(machines[name]));
    const { facts } = (await admin.audit(broker.url)).at(-1) ?? {};
    const { platform } = z.looseObject({ platform: z.string() }).parse(facts);
    expect(platform).toMatch(name === 'tdx' ? /^ppid:[0-9a-f]{32}$/ : /^instance-id:i-[0-9a-f]+$/);
    expect((await admin.revoke(broker.url, 'platform', platform.split(':')[1] ?? '')).status).toBe(200);
    expect(refusalOf(await ask(machines[name]))).toBe('BROKER_PLATFORM_REVOKED');
  });
});

describe('a policy that requires GPUs', () => {
  const at = { now: dawn };
  const gpu = (chipSerial: bigint) => ({ chain: { ...at, chipSerial }, deviceOcsp: at, rimOcsp: at });
  const gpus = { gpu0: gpu(0x1001n), gpu1: gpu(0x1002n) };

  it('opens for a collection that binds processor and GPUs to the request, and for nothing less', async () => {
    const { attestation } = world.policy;
    const prepared = await Promise.all(Object.values(gpus).map(async (each) => prepareNvidia(each)));
    const policy = {
      ...world.policy,
      attestation: {
        ...attestation,
        nvidiaGpu: { architectures: ['hopper' as const] },
        devices: [{ kind: 'nvidia-gpu' as const, minimum: 2 }],
      },
    };
    const nvidia = {
      nvidiaDevices: prepared.flatMap(({ anchors }) => anchors.nvidiaDevices ?? []),
      nvidiaRims: prepared.flatMap(({ anchors }) => anchors.nvidiaRims ?? []),
    };
    const strict = await world.start({ policy, anchors: { ...world.anchors, ...nvidia } });
    const genuine = await admin.registered(strict.url, await world.release());

    /** `sent`: what of the collection is sent; `asked`: the label that the second GPU was asked under. */
    const send = async (sent: (all: CmwCollection) => Cmw | CmwCollection, asked = 'gpu1'): Promise<Answer> => {
      const { nonce } = await challenge(strict.url);
      const session = {
        purpose: 'key-release' as const,
        nonce: fromBase64Url(nonce),
        keyConfigDigest: enclave.keyConfigDigest,
        releaseDigest: genuine.digest,
      };
      const devices = await Promise.all(
        Object.entries(gpus).map(async ([label, each]) => {
          const deviceNonce = await deviceNonceOf(session, label === 'gpu1' ? asked : label);
          return [label, await prepareNvidia({ ...each, report: { nonce: deviceNonce } })] as const;
        }),
      );
      const records = devices.map(([label, { evidence }]) => [label, evidence] as const);
      const bind = { deviceEvidenceDigest: await deviceEvidenceDigestOf(new Map(records)) };
      const request = await attest({ world, enclave, release: genuine, nonce, bind });
      const cpu = cmwFromJson(request.evidence);
      const all = { type: EVIDENCE_COLLECTION_TYPE, records: new Map([['cpu0', cpu], ...records]) };
      const endorsements = devices.flatMap(([, options]) => options.endorsements.map(cmwToJson));
      const json = {
        ...request,
        evidence: evidenceToJson(sent(all)),
        endorsements: [...request.endorsements, ...endorsements],
      };
      return call(`${strict.url}/v1/key-releases`, { method: 'POST', json });
    };

    granted(await send((all) => all));
    expect(refusalOf(await send((all) => all, 'gpu7'))).toBe('NVIDIA_NONCE_MISMATCH');
    expect(refusalOf(await send(({ records }) => records.get('cpu0') ?? never()))).toBe('ATTEST_DEVICE_MISSING');
    const onlyOne = ({ type, records }: CmwCollection) => ({
      ...(type === undefined ? {} : { type }),
      records: new Map([...records].filter(([label]) => label !== 'gpu1')),
    });
    expect(refusalOf(await send(onlyOne))).toBe('ATTEST_DEVICE_MISSING');
    await strict.close();
  });
});

function never(): never {
  throw new Error('absent');
}
