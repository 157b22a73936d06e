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
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { revocationPreviewSchema, type Broker, type BrokerPolicy } from '../src/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type Answer,
  type TestEnclave,
} from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, measurement, type TestRelease, type World } from './world.ts';

/*
 * What is revoked while enclaves run: each of them holds a lease and renews it by attesting anew, and the next renewal
 * after the revocation is refused. No lease outlives it by more than its own length.
 */
interface Machine {
  readonly tee: Tee & Release['measurements'][number]['tee'];
  readonly measurement: string;
  readonly attest: (reportData: Uint8Array) => Promise<{ evidence: Cmw; endorsements: readonly Cmw[] }>;
}
type Name = 'snp' | 'tdx' | 'nitro';

const directory = temporaryDirectory();
const mrTd = new Uint8Array(48).fill(0x7d);
let world: World;
let broker: Broker;
let release: TestRelease;
let machines: Record<'tdx' | 'nitro', Machine>;
let policy: BrokerPolicy;
let anchors: World['anchors'];

beforeAll(async () => {
  world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const [intel, aws] = await Promise.all([forgeIntelChain({ now: dawn }), forgeNitroChain({ now: dawn })]);
  machines = {
    tdx: {
      tee: 'tdx',
      measurement: toHex(mrTd),
      attest: async (reportData) => ({
        evidence: {
          type: TDX_QUOTE_TYPE,
          value: await forgeQuote({ chain: intel, version: 4, body: tdBody({ mrTd, reportData }, 'td-1.0') }),
          ind: CMW_EVIDENCE,
        },
        endorsements: [encodeDcapCollateral(await forgeCollateral({ chain: intel, tee: 'tdx', now: dawn }))],
      }),
    },
    nitro: {
      tee: 'aws-nitro',
      measurement: toHex(forgedPcrs(1).get(0) ?? new Uint8Array()),
      attest: async (userData) => ({
        evidence: nitroEvidence(await forgeNitroDocument({ chain: aws, timestamp: dawn, userData }), 'enclave'),
        endorsements: [],
      }),
    },
  };
  policy = {
    ...world.policy,
    attestation: {
      ...world.policy.attestation,
      tdx: {
        measurements: 'from-release',
        rtmrs: {},
        tcbStatuses: ['UpToDate'],
        minimumTcbEvaluationDataNumber: 0,
      },
      nitro: { measurements: 'from-release' },
    },
  };
  const pinned = { name: 'forged', certificateSha256: '00'.repeat(32), source: 'forged for this test' };
  anchors = {
    ...world.anchors,
    intel: [{ ...pinned, spkiSha256: intel.rootSpkiSha256 }],
    nitro: [{ ...pinned, spkiSha256: aws.rootSpkiSha256 }],
  };
  const measurements = [
    { tee: 'sev-snp' as const, simulated: false, value: measurement },
    ...Object.values(machines).map(({ tee, measurement: value }) => ({ tee, simulated: false, value })),
  ];
  release = await world.release({ measurements }, { approvers: ['alice', 'bob'] });
});
beforeEach(async () => {
  broker = await world.start({ policy, anchors });
  await admin.registered(broker.url, release);
});
afterEach(() => broker.close());

async function ask(name: Name, enclave: TestEnclave, leaseId?: string): Promise<Answer> {
  const lease = leaseId === undefined ? {} : { leaseId };
  if (name === 'snp') return await requestKey(broker.url, { world, enclave, release, ...lease });
  const machine = machines[name];
  const { nonce } = await challenge(broker.url);
  const reportData = await reportDataFor(machine.tee, {
    purpose: 'key-release',
    nonce: fromBase64Url(nonce),
    keyConfigDigest: enclave.keyConfigDigest,
    releaseDigest: release.digest,
    deviceEvidenceDigest: null,
  });
  const { evidence, endorsements } = await machine.attest(reportData);
  const request = { evidence: cmwToJson(evidence), endorsements: endorsements.map(cmwToJson) };
  const json = await attest({ world, enclave, release, nonce, request, ...lease });
  return await call(`${broker.url}/v1/key-releases`, { method: 'POST', json });
}

interface Running {
  readonly name: Name;
  readonly enclave: TestEnclave;
  readonly leaseId: string;
  readonly platform: string;
}

/** An enclave that has its key and has renewed its lease once. */
async function running(name: Name): Promise<Running> {
  const enclave = await createEnclave();
  granted(await ask(name, enclave));
  const facts = (await admin.audit(broker.url)).at(-1)?.facts;
  const leaseId = String(facts?.['leaseId']);
  granted(await ask(name, enclave, leaseId));
  return { name, enclave, leaseId, platform: String(facts?.['platform']) };
}

async function preview(kind: string, value: string): Promise<string[]> {
  const answer = await call(`${broker.url}/v1/admin/revocations/preview`, {
    method: 'POST',
    token: adminToken,
    json: { kind, value },
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return revocationPreviewSchema.parse(answer.body).leases.map(({ leaseId }) => leaseId);
}

/** Revokes, after a dry run that must name exactly those whom it then hits. */
async function stops(kind: string, value: string, code: string, hit: Running[], spared: Running[]): Promise<void> {
  expect(await preview(kind, value)).toEqual(hit.map(({ leaseId }) => leaseId).sort());
  for (const { name, enclave, leaseId } of [...hit, ...spared]) granted(await ask(name, enclave, leaseId));
  const answer = await admin.revoke(broker.url, kind, value);
  expect(answer.body).toMatchObject({ runningLeases: hit.length });
  for (const { name, enclave, leaseId } of hit) {
    expect(refusalOf(await ask(name, enclave, leaseId))).toBe(code);
    expect(refusalOf(await ask(name, await createEnclave()))).toBe(code);
  }
  for (const { name, enclave, leaseId } of spared) granted(await ask(name, enclave, leaseId));
}

describe('a revocation reaches running enclaves at their next renewal', () => {
  it.each(['snp', 'tdx', 'nitro'] as const)('of the platform of %s', async (name) => {
    const others = (['snp', 'tdx', 'nitro'] as const).filter((other) => other !== name);
    const hit = await running(name);
    const spared = [await running(others[0] ?? 'snp'), await running(others[1] ?? 'snp')];
    expect(hit.platform).toMatch({ snp: /^chip-id:/, tdx: /^ppid:/, nitro: /^instance-id:/ }[name]);
    await stops('platform', hit.platform, 'BROKER_PLATFORM_REVOKED', [hit], spared);
  });

  it('of a measurement', async () => {
    const [hit, spared] = [await running('snp'), await running('tdx')];
    await stops('measurement', measurement, 'BROKER_MEASUREMENT_REVOKED', [hit], [spared]);
  });

  it('of a release', async () => {
    await stops(
      'release',
      release.digestHex,
      'BROKER_RELEASE_REVOKED',
      [await running('snp'), await running('tdx')].sort(byLease),
      [],
    );
  });

  it('of a TCB level: AMD by component, Intel by the date of the level', async () => {
    const [snp, tdx, nitro] = [await running('snp'), await running('tdx'), await running('nitro')];
    // At the level that runs, on another product, and before the day of the level: nobody is hit.
    for (const floor of ['sev-snp:Genoa:microcode=84', 'sev-snp:milan:microcode=255', 'tdx:date=2020-01-01'])
      await stops('tcb', floor, 'none', [], [snp, tdx, nitro]);
    await stops('tcb', 'sev-snp:genoa:microcode=85', 'LIFECYCLE_TCB_REVOKED', [snp], [tdx, nitro]);
    await stops('tcb', 'tdx:date=2030-01-01', 'LIFECYCLE_TCB_REVOKED', [tdx], [nitro]);
  });

  it('of a TCB component that the evidence does not state', async () => {
    await stops('tcb', 'sev-snp:genoa:fmc=1', 'LIFECYCLE_TCB_UNKNOWN', [await running('snp')], [await running('tdx')]);
  });

  it('of a TCB level by a policy with a higher floor', async () => {
    const { enclave, leaseId } = await running('snp');
    const { snp } = policy.attestation;
    if (snp === undefined) throw new Error('no section for SNP');
    const raised = {
      ...policy,
      attestation: { ...policy.attestation, snp: { ...snp, minimumTcb: { Genoa: { microcode: 85 } } } },
    };
    const json = { policy: raised };
    const change = await call(`${broker.url}/v1/admin/policy`, { method: 'PUT', token: adminToken, json });
    expect(change.body).toMatchObject({ generation: 1 });
    expect(refusalOf(await ask('snp', enclave, leaseId))).toMatch(/^SNP_TCB/);
  });

  it('of the wrapping key, or of the version that wraps; a rewrapped model goes on', async () => {
    const enclave = await running('snp');
    await stops('key', 'wrap:kek:99', 'none', [], [enclave]);
    await stops('key', 'wrap:kek:1', 'LIFECYCLE_KEY_REVOKED', [enclave], []);
    const json = { change: 'rotate', keyId: 'kek' };
    await call(`${broker.url}/v1/admin/wrapping-keys`, { method: 'POST', token: adminToken, json });
    await stops('key', 'wrap:kek', 'LIFECYCLE_KEY_REVOKED', [enclave], []);
  });

  it('of the key of the owner who signed', async () => {
    const enclave = await running('snp');
    const entries = await admin.audit(broker.url);
    const owner = String(entries.find(({ kind }) => kind === 'release-registered')?.facts['ownerKey']);
    await stops('key', `owner:${owner}`, 'LIFECYCLE_KEY_REVOKED', [enclave], []);
  });

  it('of an approver without whom too few remain', async () => {
    const enclave = await running('snp');
    await stops('key', 'approver:carol', 'none', [], [enclave]);
    await stops('key', 'approver:bob', 'LIFECYCLE_KEY_REVOKED', [enclave], []);
  });

  it('refuses names that could never match', async () => {
    for (const [kind, value] of [
      ['key', 'kek'],
      ['key', 'wrap:kek:0'],
      ['key', 'owner:abc'],
      ['tcb', 'sev-snp:genoa:microcode=256'],
      ['tcb', 'sev-snp:rome:microcode=1'],
      ['tcb', 'tdx:date=2026-13-01'],
    ] as const)
      expect(refusalOf(await admin.revoke(broker.url, kind, value)), value).toBe('BROKER_REQUEST_INVALID');
  });
});

function byLease(left: Running, right: Running): number {
  return left.leaseId < right.leaseId ? -1 : 1;
}
