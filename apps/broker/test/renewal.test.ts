import { randomBytes } from 'node:crypto';
import { verifyLease } from '@fastness/channel';
import { fromBase64Url, fromHex } from '@fastness/codec/bytes';
import { forgeAmdChain } from '@fastness/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { leasePageSchema, type Broker } from '../src/index.ts';
import {
  admin,
  call,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type AttestOptions,
  type TestEnclave,
} from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, simulatedMeasurement, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const later = (seconds: number): Date => new Date(dawn.getTime() + seconds * 1000);
let world: World;
let broker: Broker;
let release: TestRelease;
let enclave: TestEnclave;

beforeAll(async () => {
  world = await createWorld(directory);
  broker = await world.start();
  release = await admin.registered(broker.url, await world.release());
});
afterAll(() => broker.close());
beforeEach(async () => {
  world.clock.now = dawn;
  enclave = await createEnclave();
});

async function lease(options: Partial<AttestOptions> = {}, url = broker.url): Promise<string> {
  const enclaveNonce = new Uint8Array(randomBytes(32));
  const asked = { world, enclave, release, enclaveNonce, ...options };
  const response = granted(await requestKey(url, asked));
  expect(response.sealedRoot === undefined).toBe(options.leaseId !== undefined);
  const expected = {
    releaseDigest: asked.release.digest,
    keyConfigDigest: asked.enclave.keyConfigDigest,
    enclaveNonce,
  };
  const claims = await verifyLease({ lease: fromBase64Url(response.lease), brokerKey: world.brokerKey, expected });
  return claims.leaseId;
}

async function refused(options: Partial<AttestOptions>, url = broker.url): Promise<string> {
  const before = (await admin.audit(url)).at(-1)?.seq ?? 0;
  const answer = await requestKey(url, { world, enclave, release, ...options });
  const code = refusalOf(answer);
  const entries = await admin.audit(url, before);
  expect(entries).toMatchObject([{ kind: 'refused', facts: { operation: 'lease-renewal', code } }]);
  return code;
}

it('attests anew, extends the lease and carries no key', async () => {
  const leaseId = await lease();
  for (const [renewals, seconds] of [
    [1, 300],
    [2, 899],
  ] as const) {
    world.clock.now = later(seconds);
    expect(await lease({ leaseId })).toBe(leaseId);
    const entry = (await admin.audit(broker.url)).at(-1);
    expect(entry).toMatchObject({
      kind: 'lease-renewed',
      facts: { leaseId, renewals, leaseExpires: later(seconds + 600).toISOString() },
    });
  }
  const { body } = await call(`${broker.url}/v1/admin/leases`, { token: adminToken });
  expect(leasePageSchema.parse(body)).toMatchObject({
    leases: [{ leaseId, renewals: 2, expiresAt: later(1499).toISOString() }],
  });
});

it('is refused once the lease has expired, and the lease is no longer listed', async () => {
  const leaseId = await lease();
  world.clock.now = later(600);
  expect(await refused({ leaseId })).toBe('BROKER_LEASE_EXPIRED');
  const running = await call(`${broker.url}/v1/admin/leases`, { token: adminToken });
  expect(JSON.stringify(running.body)).not.toContain(leaseId);
  const all = await call(`${broker.url}/v1/admin/leases?state=all`, { token: adminToken });
  expect(JSON.stringify(all.body)).toContain(leaseId);
});

it('is refused for a lease that nobody gave', async () => {
  expect(await refused({ leaseId: '0'.repeat(32) })).toBe('BROKER_LEASE_UNKNOWN');
  expect(await refused({ leaseId: 'not-even-an-id' })).toBe('BROKER_LEASE_UNKNOWN');
});

it('is refused for another key configuration, release, platform or measurement', async () => {
  const leaseId = await lease();
  expect(await refused({ leaseId, enclave: await createEnclave() })).toBe('BROKER_LEASE_KEY_CONFIG');
  const other = await admin.registered(broker.url, await world.release({ modelId: 'other' }, { modelId: 'other' }));
  expect(await refused({ leaseId, release: other })).toBe('BROKER_LEASE_RELEASE');
  const elsewhere = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now: dawn });
  expect(await refused({ leaseId, chain: elsewhere })).toBe('BROKER_LEASE_PLATFORM');
  expect(await refused({ leaseId, simulated: true })).toBe('BROKER_LEASE_PLATFORM');
  expect(await lease({ leaseId })).toBe(leaseId);
});

it('is refused for another measurement of the same release', async () => {
  const second = 'b2'.repeat(48);
  const measurements = ['a1'.repeat(48), second].map((value) => ({ tee: 'sev-snp' as const, simulated: false, value }));
  const two = await admin.registered(
    broker.url,
    await world.release({ modelId: 'two', measurements }, { modelId: 'two' }),
  );
  const leaseId = await lease({ release: two });
  expect(await refused({ release: two, leaseId, report: { measurement: fromHex(second) } })).toBe(
    'BROKER_LEASE_PLATFORM',
  );
});

it('is refused when software plays the very chip and measurement that hold the lease', async () => {
  const value = 'c3'.repeat(48);
  const measurements = [false, true].map((simulated) => ({ tee: 'sev-snp' as const, simulated, value }));
  const both = await admin.registered(
    broker.url,
    await world.release({ modelId: 'both', measurements }, { modelId: 'both' }),
  );
  const report = { measurement: fromHex(value) };
  const leaseId = await lease({ release: both, report });
  const { hwid } = world.chain;
  const twin = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now: dawn, organization: 'SIMULATED', hwid });
  expect(await refused({ release: both, leaseId, report, simulated: true, chain: twin })).toBe('BROKER_LEASE_PLATFORM');
});

it('is refused once release, measurement or platform is revoked', async () => {
  const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now: dawn });
  const byPlatform = await lease({ chain });
  await admin.revoke(broker.url, 'platform', `chip-id:${Buffer.from(chain.hwid).toString('hex')}`);
  expect(await refused({ leaseId: byPlatform, chain })).toBe('BROKER_PLATFORM_REVOKED');

  const byMeasurement = await lease({ simulated: true });
  expect((await admin.revoke(broker.url, 'measurement', simulatedMeasurement)).body).toMatchObject({
    runningLeases: 1,
  });
  expect(await refused({ leaseId: byMeasurement, simulated: true })).toBe('BROKER_MEASUREMENT_REVOKED');

  const doomed = await admin.registered(broker.url, await world.release({ modelId: 'doomed' }, { modelId: 'doomed' }));
  const byRelease = await lease({ release: doomed });
  await admin.revoke(broker.url, 'release', doomed.digestHex);
  expect(await refused({ leaseId: byRelease, release: doomed })).toBe('BROKER_RELEASE_REVOKED');
});

it('is refused when the release has expired', async () => {
  const soon = await admin.registered(
    broker.url,
    await world.release({ modelId: 'soon', expires: '2026-11-23T12:05:00Z' }, { modelId: 'soon' }),
  );
  const leaseId = await lease({ release: soon });
  world.clock.now = later(299.5);
  expect(await refused({ release: soon, leaseId })).toBe('RELEASE_EXPIRED');
});

it('ends with a newer version or goes on beside it, as the policy says', async () => {
  for (const renewSuperseded of [false, true]) {
    const policy = { ...world.policy, lease: { ...world.policy.lease, renewSuperseded } };
    const own = await world.start({ policy });
    const [older, newer] = await Promise.all([world.release({ version: 1 }), world.release({ version: 2 })]);
    await admin.registered(own.url, older);
    const leaseId = await lease({ release: older }, own.url);
    await admin.registered(own.url, newer);
    if (renewSuperseded) expect(await lease({ release: older, leaseId }, own.url)).toBe(leaseId);
    else expect(await refused({ release: older, leaseId }, own.url)).toBe('BROKER_VERSION_ROLLBACK');
    // Either way no new enclave starts the older version.
    const again = await requestKey(own.url, { world, enclave, release: older });
    expect(refusalOf(again)).toBe('BROKER_VERSION_ROLLBACK');
    await own.close();
  }
});

it('ends only once the key of a newer version has left, where the policy says so', async () => {
  const own = await world.start({ policy: { ...world.policy, supersede: 'on-release' } });
  const [older, newer] = await Promise.all([world.release({ version: 1 }), world.release({ version: 2 })]);
  await admin.registered(own.url, older);
  await admin.registered(own.url, newer);
  const leaseId = await lease({ release: older }, own.url);
  expect(await lease({ release: older, leaseId }, own.url)).toBe(leaseId);
  await lease({ release: newer, enclave: await createEnclave() }, own.url);
  expect(await refused({ release: older, leaseId }, own.url)).toBe('BROKER_VERSION_ROLLBACK');
  expect(refusalOf(await requestKey(own.url, { world, enclave, release: older }))).toBe('BROKER_VERSION_ROLLBACK');
  await own.close();
});
