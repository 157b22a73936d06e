import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cmwToJson } from '@fastness/attest';
import { snpEndorsements } from '@fastness/testkit';
import { fakeKds, forgedKdsMaterial, startFakeService, type FakeService } from '@fastness/testkit/services';
import {
  brokerConfigSchema,
  brokerEndorsementsSchema,
  openEndorsements,
  type Broker,
  type BrokerEndorsements,
} from '../src/index.ts';
import { admin, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { createWorld, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let kds: FakeService;
let release: TestRelease;
const brokers: Broker[] = [];

/** A broker that fetches, with a cache of its own. */
async function fetching(changes: Partial<BrokerEndorsements> = {}): Promise<Broker> {
  const config = brokerEndorsementsSchema.parse({
    cachePath: join(directory, `cache-${brokers.length}`),
    amd: kds.url,
    ...changes,
  });
  const { anchors, clock } = world;
  const completeEndorsements = await openEndorsements(config, { anchors, now: () => clock.now });
  const broker = await world.start({ completeEndorsements });
  brokers.push(broker);
  await admin.registered(broker.url, release);
  return broker;
}

/** Asks for the key with a report and nothing else. */
async function ask(broker: Broker, options: { simulated?: boolean } = {}) {
  const enclave = await createEnclave();
  return requestKey(broker.url, { world, enclave, release, ...options, request: { endorsements: [] } });
}

beforeAll(async () => {
  world = await createWorld(directory);
  release = await world.release();
  kds = await startFakeService(fakeKds([forgedKdsMaterial(world.chain)]));
});
afterAll(async () => {
  for (const broker of brokers) await broker.close();
  await kds.close();
});

describe('a broker that fetches endorsements', () => {
  it('releases a key to an enclave that sends its report alone, and asks the service once', async () => {
    const broker = await fetching();
    const before = kds.requests.length;
    granted(await ask(broker));
    granted(await ask(broker));
    expect(kds.requests.length - before).toBe(3);
  });

  it('releases none where it does not fetch', async () => {
    const broker = await world.start();
    brokers.push(broker);
    await admin.registered(broker.url, release);
    expect(refusalOf(await ask(broker))).toBe('SNP_LEAF_MISSING');
  });

  it.each([
    ['is down', 503, 'ENDORSEMENT_UNAVAILABLE'],
    ['limits it', 429, 'ENDORSEMENT_RATE_LIMITED'],
    ['has no such chip', 404, 'ENDORSEMENT_NOT_FOUND'],
  ] as const)('releases none while the service %s, and says so in the audit log', async (_what, status, code) => {
    const broker = await fetching();
    kds.fail({ kind: 'status', status });
    try {
      expect(refusalOf(await ask(broker))).toBe(code);
      const entries = await admin.audit(broker.url);
      expect(entries.at(-1)).toMatchObject({ kind: 'refused', facts: { code } });
    } finally {
      kds.recover();
    }
  });

  it('believes its own list, not the older one that a host sends along', async () => {
    const broker = await fetching();
    const { chain } = world;
    const revoked = [{ serial: 0x2_0001, date: new Date('2026-11-22T00:00:00Z') }];
    kds.serve(fakeKds([{ ...forgedKdsMaterial(chain), crl: await chain.issueCrl({ revoked, number: 2 }) }]));
    const old = cmwToJson(snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] }));
    const enclave = await createEnclave();
    const answer = await requestKey(broker.url, { world, enclave, release, request: { endorsements: [old] } });
    expect(refusalOf(answer)).toBe('SNP_CERTIFICATE_REVOKED');
    kds.serve(fakeKds([forgedKdsMaterial(chain)]));
  });

  it('asks for nothing on behalf of simulated evidence', async () => {
    const broker = await fetching();
    const before = kds.requests.length;
    expect(refusalOf(await ask(broker, { simulated: true }))).toBe('SNP_LEAF_MISSING');
    expect(kds.requests.length).toBe(before);
  });

  it('asks for nothing on behalf of a release that it does not know', async () => {
    const broker = await fetching();
    const before = kds.requests.length;
    const enclave = await createEnclave();
    const stranger = { ...release, digestHex: 'ab'.repeat(32) };
    const request = { endorsements: [] };
    const answer = await requestKey(broker.url, { world, enclave, release: stranger, request });
    expect(refusalOf(answer)).toBe('BROKER_RELEASE_UNKNOWN');
    expect(kds.requests.length).toBe(before);
  });

  it('releases none offline without a filled cache', async () => {
    expect(refusalOf(await ask(await fetching({ offline: true })))).toBe('ENDORSEMENT_OFFLINE');
  });

  it('reads where to fetch from its configuration', () => {
    const shape = brokerConfigSchema.shape.endorsements;
    expect(shape.safeParse({ cachePath: 'cache', pccs: 'https://pccs.example' }).success).toBe(true);
    expect(shape.safeParse({ cachePath: 'cache', update: 17, prefer: 'given', offline: true }).success).toBe(true);
    expect(shape.safeParse({ cachePath: 'cache', retries: 9 }).success).toBe(false);
    expect(shape.safeParse({ pccs: 'https://pccs.example' }).success).toBe(false);
  });
});
