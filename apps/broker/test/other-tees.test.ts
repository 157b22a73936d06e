import { cmwToJson, CMW_EVIDENCE, reportDataFor, TDX_QUOTE_TYPE, type Cmw, type Tee } from '@fastness/attest';
import { encodeDcapCollateral } from '@fastness/attest/formats/tdx';
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

beforeAll(async () => {
  world = await createWorld(directory);
  enclave = await createEnclave();
  const [intel, aws] = await Promise.all([forgeIntelChain({ now: dawn }), forgeNitroChain({ now: dawn })]);
  machines = {
    tdx: {
      tee: 'tdx',
      measurement: toHex(mrTd),
      attest: async (reportData) => {
        const body = tdBody({ mrTd, reportData }, 'td-1.0');
        const value = await forgeQuote({ chain: intel, version: 4, body });
        const collateral = await forgeCollateral({ chain: intel, tee: 'tdx', now: dawn });
        return {
          evidence: { type: TDX_QUOTE_TYPE, value, ind: CMW_EVIDENCE },
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
        rtmrs: {},
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
