import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wrappedKeyFromJson, type ManagedKeyStore } from '@fastness/keys';
import { rewrapSealedModel } from '@fastness/model';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { modelKeysSchema, rewrappedSchema, wrappingKeyChangedSchema, type Broker } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey, type Answer, type TestEnclave } from './actors.ts';
import { brokerDatabase, freshDatabase } from './databases.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, keyStoreWith, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const hour = 3600;
const at = (seconds: number): Date => new Date(dawn.getTime() + seconds * 1000);

interface Setting {
  readonly world: World;
  readonly broker: Broker;
  readonly release: TestRelease;
  readonly store: ManagedKeyStore;
}

/** A world whose key store, broker and release belong to one test: keys are destroyed in them. */
async function setting(options: Parameters<World['start']>[0] = {}): Promise<Setting> {
  const world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const broker = await world.start(options);
  const release = await admin.registered(broker.url, await world.release());
  return { world, broker, release, store: managed(world) };
}

function managed({ keyStore }: World): ManagedKeyStore {
  if (!('destroy' in keyStore)) throw new Error('the software store no longer destroys keys');
  // The software store is one; the world's type says less.
  return keyStore as ManagedKeyStore;
}

async function changeKey(url: string, json: unknown): Promise<Answer> {
  const answer = await call(`${url}/v1/admin/wrapping-keys`, { method: 'POST', token: adminToken, json });
  if (answer.status === 200) wrappingKeyChangedSchema.parse(answer.body);
  return answer;
}

async function putKeys(url: string, releaseDigest: string, keys: unknown): Promise<Answer> {
  const json = { releaseDigest, keys };
  return await call(`${url}/v1/admin/wrapped-keys`, { method: 'PUT', token: adminToken, json });
}

const keysOf = (release: TestRelease): unknown =>
  JSON.parse(readFileSync(join(release.directory, 'keys.json'), 'utf8')) as unknown;

describe('versions of a wrapping key', () => {
  let s: Setting;
  let enclave: TestEnclave;
  beforeAll(async () => {
    s = await setting();
    enclave = await createEnclave();
  });
  afterAll(() => s.broker.close());

  it('a rewrapped model is taken over without touching sealed files, and older versions end with the minimum', async () => {
    const { world, broker, release, store } = s;
    expect((await store.rotate('kek')).version).toBe(2);
    await rewrapSealedModel(release.directory, store);
    const keys = keysOf(release);
    expect(wrappedKeyFromJson(modelKeysSchema.parse(keys).root).keyVersion).toBe(2);

    expect(refusalOf(await changeKey(broker.url, { change: 'minimum-version', keyId: 'kek', minimumVersion: 2 }))).toBe(
      'LIFECYCLE_STILL_WRAPPED',
    );
    const taken = await putKeys(broker.url, release.digestHex, keys);
    expect(rewrappedSchema.parse(taken.body)).toMatchObject({ wrappingKey: 'kek', wrappingKeyVersion: 2 });
    expect((await changeKey(broker.url, { change: 'minimum-version', keyId: 'kek', minimumVersion: 2 })).body).toEqual({
      keyId: 'kek',
      minimumVersion: 2,
    });
    granted(await requestKey(broker.url, { world, enclave, release }));

    expect(refusalOf(await putKeys(broker.url, release.digestHex, release.keys))).toBe(
      'LIFECYCLE_VERSION_BELOW_MINIMUM',
    );
    expect(refusalOf(await admin.register(broker.url, release))).toBe('LIFECYCLE_VERSION_BELOW_MINIMUM');
    expect(refusalOf(await changeKey(broker.url, { change: 'minimum-version', keyId: 'kek', minimumVersion: 1 }))).toBe(
      'LIFECYCLE_MINIMUM_LOWERED',
    );
    expect(refusalOf(await changeKey(broker.url, { change: 'minimum-version', keyId: 'kek', minimumVersion: 9 }))).toBe(
      'LIFECYCLE_VERSION_UNKNOWN',
    );
    expect(
      refusalOf(await changeKey(broker.url, { change: 'minimum-version', keyId: 'none', minimumVersion: 1 })),
    ).toBe('LIFECYCLE_KEY_UNKNOWN');
    const kinds = (await admin.audit(broker.url)).map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(['rewrapped', 'wrapping-key-minimum']));
  });

  it('takes no other key in the place of the one that was registered', async () => {
    const other = await s.world.release({}, { modelId: 'tiny' });
    // The same model sealed again has another root key and another seal: its wrapping does not even unwrap here.
    const foreign = await s.world.release({ version: 7 }, { modelId: 'other' });
    expect(refusalOf(await putKeys(s.broker.url, s.release.digestHex, foreign.keys))).toMatch(
      /^(?:BROKER_WRAPPED_KEY_UNUSABLE|LIFECYCLE_VERSION_BELOW_MINIMUM)$/,
    );
    expect(refusalOf(await putKeys(s.broker.url, 'ab'.repeat(32), other.keys))).toBe('BROKER_RELEASE_UNKNOWN');
  });

  it('rotates by itself, on demand and by schedule, and a rotation that was cut off goes to the same version', async () => {
    const { world } = s;
    const log = {
      ...brokerDatabase(await freshDatabase(world.directory)),
      auditPath: join(world.directory, 'rotating.log'),
    };
    const schedule = { lifecycle: { rotation: [{ keyId: 'kek', everySeconds: 30 * 24 * hour }] } };
    let broken = true;
    const keyStore = {
      ...keyStoreWith(world.keyStore, {}),
      retire: (id: string, before: number) => s.store.retire(id, before),
      rotate: async (id: string) => {
        const info = await s.store.rotate(id);
        // As if the process died after the store had made its new version.
        if (broken) throw new Error('cut off');
        return info;
      },
    };
    const fresh = await world.release({ version: 3 });
    const first = await world.start({ ...log, ...schedule, keyStore });
    await admin.registered(first.url, fresh);
    const before = (await s.store.list()).find(({ id }) => id === 'kek')?.version ?? 0;
    world.clock.now = new Date('2026-12-24T00:00:00Z');
    expect(refusalOf(await changeKey(first.url, { change: 'rotate', keyId: 'kek' }))).toBe('BROKER_KEY_STORE');
    await first.close();
    broken = false;
    world.clock.now = dawn;
    const second = await world.start({ ...log, ...schedule, keyStore });
    try {
      expect(await second.maintain()).toEqual({ rotated: ['kek'], destroyed: [] });
      expect((await s.store.list()).find(({ id }) => id === 'kek')?.version).toBe(before + 1);
      expect(await second.maintain()).toEqual({ rotated: [], destroyed: [] });
      granted(await requestKey(second.url, { world, enclave, release: fresh }));
      world.clock.now = at(31 * 24 * hour);
      expect(await second.maintain()).toEqual({ rotated: ['kek'], destroyed: [] });
      world.clock.now = dawn;
      const rotated = (await admin.audit(second.url)).filter(({ kind }) => kind === 'rotation-finished');
      expect(rotated).toMatchObject([
        { facts: { version: before + 1, rewrapped: 1 } },
        { facts: { version: before + 2 } },
      ]);
    } finally {
      await second.close();
    }
  });

  it('loses no request while it rotates', async () => {
    const { world, broker, release, store } = s;
    const rotation = new AbortController();
    let served = 0;
    const load = Promise.all(
      [1, 2].map(async () => {
        while (!rotation.signal.aborted) {
          granted(await requestKey(broker.url, { world, enclave: await createEnclave(), release }));
          served += 1;
        }
      }),
    );
    for (let round = 0; round < 3; round += 1) {
      const answer = wrappingKeyChangedSchema.parse(
        (await changeKey(broker.url, { change: 'rotate', keyId: 'kek' })).body,
      );
      const minimumVersion = answer.version ?? 0;
      expect((await changeKey(broker.url, { change: 'minimum-version', keyId: 'kek', minimumVersion })).status).toBe(
        200,
      );
      await store.retire('kek', minimumVersion);
    }
    rotation.abort();
    await load;
    expect(served).toBeGreaterThan(0);
  });
});

describe('a wrapping key that is disabled and destroyed', () => {
  let s: Setting;
  let enclave: TestEnclave;
  const ask = async (leaseId?: string): Promise<Answer> =>
    requestKey(s.broker.url, {
      world: s.world,
      enclave,
      release: s.release,
      ...(leaseId === undefined ? {} : { leaseId }),
    });
  beforeAll(async () => {
    s = await setting({ lifecycle: { destructionDelay: { minimumSeconds: hour, maximumSeconds: 48 * hour } } });
  });
  afterAll(() => s.broker.close());
  beforeEach(async () => {
    s.world.clock.now = dawn;
    enclave = await createEnclave();
  });

  it('disabled, it gives nothing and renews nothing; enabled, it does again', async () => {
    granted(await ask());
    const leaseId = String((await admin.audit(s.broker.url)).at(-1)?.facts['leaseId']);
    expect((await changeKey(s.broker.url, { change: 'disable', keyId: 'kek' })).body).toMatchObject({
      state: 'disabled',
      runningLeases: 1,
    });
    expect(refusalOf(await ask())).toBe('LIFECYCLE_KEY_DISABLED');
    expect(refusalOf(await ask(leaseId))).toBe('LIFECYCLE_KEY_DISABLED');
    expect((await changeKey(s.broker.url, { change: 'enable', keyId: 'kek' })).status).toBe(200);
    granted(await ask(leaseId));
  });

  it('is destroyed after its delay and not before, unless that is cancelled', async () => {
    const { broker, world } = s;
    const schedule = { change: 'schedule-destruction', keyId: 'kek' };
    for (const delaySeconds of [hour - 1, 48 * hour + 1]) {
      expect(refusalOf(await changeKey(broker.url, { ...schedule, delaySeconds }))).toBe('LIFECYCLE_DESTRUCTION_DELAY');
    }
    expect((await changeKey(broker.url, { ...schedule, delaySeconds: hour })).body).toMatchObject({
      state: 'destruction-scheduled',
      destroyAt: at(hour).toISOString(),
    });
    expect(refusalOf(await ask())).toBe('LIFECYCLE_KEY_DISABLED');
    expect(refusalOf(await changeKey(broker.url, { change: 'enable', keyId: 'kek' }))).toBe(
      'LIFECYCLE_DESTRUCTION_STATE',
    );
    world.clock.now = at(hour - 1);
    expect((await broker.maintain()).destroyed).toEqual([]);
    expect((await changeKey(broker.url, { change: 'cancel-destruction', keyId: 'kek' })).body).toMatchObject({
      state: 'disabled',
    });
    world.clock.now = at(2 * hour);
    expect((await broker.maintain()).destroyed).toEqual([]);
    expect((await s.store.list()).some(({ id }) => id === 'kek')).toBe(true);

    expect((await changeKey(broker.url, { ...schedule, delaySeconds: hour })).status).toBe(200);
    world.clock.now = at(3 * hour);
    expect((await broker.maintain()).destroyed).toEqual(['kek']);
    expect((await s.store.list()).some(({ id }) => id === 'kek')).toBe(false);
    expect(refusalOf(await changeKey(broker.url, { change: 'cancel-destruction', keyId: 'kek' }))).toBe(
      'LIFECYCLE_DESTRUCTION_STATE',
    );
    expect(refusalOf(await ask())).toBe('LIFECYCLE_KEY_DESTROYED');
    const states = (await admin.audit(broker.url))
      .filter(({ kind }) => kind === 'wrapping-key-state')
      .map(({ facts }) => facts['state']);
    expect(states.slice(-3)).toEqual(['destruction-scheduled', 'destroying', 'destroyed']);
  });
});

it('a restored database brings back neither a minimum nor a key that was disabled', async () => {
  const world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const auditPath = join(world.directory, 'kept.log');
  const first = await world.start({ auditPath });
  await admin.registered(first.url, await world.release());
  await changeKey(first.url, { change: 'rotate', keyId: 'kek' });
  expect((await changeKey(first.url, { change: 'minimum-version', keyId: 'kek', minimumVersion: 2 })).status).toBe(200);
  await changeKey(first.url, { change: 'disable', keyId: 'kek' });
  await first.close();
  // Another database under the same log.
  const second = await world.start({ auditPath });
  const { body } = await call(`${second.url}/v1/admin/wrapping-keys`, { token: adminToken });
  expect(body).toMatchObject({ keys: [{ keyId: 'kek', minimumVersion: 2, state: 'disabled' }] });
  await second.close();
});

it('says so when the key store cannot do what is asked', async () => {
  const world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const broker = await world.start({ keyStore: keyStoreWith(world.keyStore, {}) });
  for (const json of [
    { change: 'rotate', keyId: 'kek' },
    { change: 'schedule-destruction', keyId: 'kek', delaySeconds: 7 * 24 * hour },
  ])
    expect(refusalOf(await changeKey(broker.url, json))).toBe('LIFECYCLE_STORE_UNABLE');
  await broker.close();
});
