import { parseVerifierKey, verifyProof } from '@fastness/log';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyAuditLog, type Broker, type DatabaseLocation } from '../src/index.ts';
import { highestVersion, inTransaction, openStore, raiseHighestVersion } from '../src/store/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type TestEnclave,
} from './actors.ts';
import { runCampaign } from './crash/campaign.ts';
import { brokerDatabase, freshAnchor, freshDatabase, isAvailable } from './databases.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();

describe.skipIf(!isAvailable('postgres'))('two brokers on one database', () => {
  let world: World;
  let location: DatabaseLocation;
  let brokers: readonly [Broker, Broker];
  let release: TestRelease;
  let enclave: TestEnclave;
  const logs = { a: freshPath(directory, 'audit'), b: freshPath(directory, 'audit') };

  beforeAll(async () => {
    world = await createWorld(directory);
    location = await freshDatabase(directory, 'postgres');
    // At once, as a fleet starts: one of them makes the tables.
    brokers = await Promise.all([
      world.start({ ...brokerDatabase(location), instance: 'a', auditPath: logs.a }),
      world.start({ ...brokerDatabase(location), instance: 'b', auditPath: logs.b }),
    ]);
    release = await admin.registered(brokers[0].url, await world.release());
    enclave = await createEnclave();
  });
  afterAll(() => Promise.all(brokers.map((broker) => broker.close())));

  const answerAt = async (url: string, request: unknown): ReturnType<typeof call> =>
    await call(`${url}/v1/key-releases`, { method: 'POST', json: request });

  it('a challenge of one is answered at the other, once', async () => {
    const [a, b] = brokers;
    const request = await attest({ world, enclave, release, nonce: (await challenge(a.url)).nonce });
    const answers = await Promise.all([b, a, b, a].map(({ url }) => answerAt(url, request)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 200) expect(refusalOf(answer)).toBe('BROKER_NONCE_REUSED');
  });

  it('a lease of one is renewed at the other, and every renewal counts once', async () => {
    const [a, b] = brokers;
    granted(await requestKey(a.url, { world, enclave, release }));
    const leaseId = String((await admin.audit(a.url)).at(-1)?.facts['leaseId']);
    const places = [b, a, b, a, b, a, b, a];
    for (const answer of await Promise.all(
      places.map(({ url }) => requestKey(url, { world, enclave, release, leaseId })),
    )) {
      granted(answer);
    }
    const entries = [...(await admin.audit(a.url)), ...(await admin.audit(b.url))];
    const renewals = entries.filter(({ kind, facts }) => kind === 'lease-renewed' && facts['leaseId'] === leaseId);
    expect(renewals.map(({ facts }) => Number(facts['renewals'])).sort((x, y) => x - y)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });

  it('what is revoked or superseded at one is refused at the other at once', async () => {
    const [a, b] = brokers;
    const models = ['shared-1', 'shared-2'];
    const older: TestRelease[] = [];
    for (const modelId of models) {
      older.push(await admin.registered(a.url, await world.release({ modelId }, { modelId })));
    }
    const [first, second] = older;
    if (first === undefined || second === undefined) throw new Error('no releases');
    granted(await requestKey(b.url, { world, enclave, release: first }));
    await admin.revoke(b.url, 'release', first.digestHex);
    expect(refusalOf(await requestKey(a.url, { world, enclave, release: first }))).toBe('BROKER_RELEASE_REVOKED');
    const newer = await world.release({ modelId: 'shared-2', version: 2 }, { modelId: 'shared-2' });
    await admin.registered(a.url, newer);
    expect(refusalOf(await requestKey(b.url, { world, enclave, release: second }))).toBe('BROKER_VERSION_ROLLBACK');
    granted(await requestKey(b.url, { world, enclave, release: newer }));
  });

  it('a release names the logs of all brokers, and each proves in its own what it gave out', async () => {
    const [a, b] = brokers;
    const logKeys = [a.logKey, b.logKey];
    expect(new Set(logKeys.map((key) => key.split('+')[0])).size).toBe(2);
    const modelId = 'logged';
    const fleet = await admin.registered(a.url, await world.release({ modelId, logKeys }, { modelId }));
    for (const broker of brokers) {
      const { logProof = '' } = granted(await requestKey(broker.url, { world, enclave, release: fleet }));
      const trust = { logKeys: [await parseVerifierKey(broker.logKey)] };
      const { entry } = await verifyProof({ proof: logProof, trust });
      expect(JSON.parse(new TextDecoder().decode(entry))).toMatchObject({
        kind: 'key-released',
        facts: { releaseDigest: fleet.digestHex },
      });
    }
    const one = await world.release({ modelId, version: 2, logKey: a.logKey }, { modelId });
    expect(refusalOf(await admin.register(b.url, one))).toBe('BROKER_RELEASE_OTHER_LOG');
    await admin.registered(a.url, one);
    granted(await requestKey(a.url, { world, enclave, release: one }));
    expect(refusalOf(await requestKey(b.url, { world, enclave, release: one }))).toBe('BROKER_RELEASE_OTHER_LOG');
  });

  it('each has a name and a log of its own; a name that runs is refused', async () => {
    await expect(
      world.start({ ...brokerDatabase(location), instance: 'a', auditPath: freshPath(directory, 'audit') }),
    ).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
    await expect(world.start({ ...brokerDatabase(location), instance: 'c', auditPath: logs.a })).rejects.toMatchObject({
      code: 'BROKER_LOCKED',
    });
    await expect(world.start({ ...brokerDatabase(location), instance: 'A b' })).rejects.toMatchObject({
      code: 'BROKER_CONFIG_INVALID',
    });
    for (const path of Object.values(logs)) await verifyAuditLog(path);
  });

  it('recorded changes of both run one after the other', async () => {
    const stores = await Promise.all([openStore(location), openStore(location)]);
    let running = 0;
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        inTransaction(stores[index % 2] ?? stores[0], async (trx) => {
          running += 1;
          expect(running).toBe(1);
          await raiseHighestVersion(trx, 'counted', (await highestVersion(trx, 'counted')) + 1);
          running -= 1;
        }),
      ),
    );
    expect(await highestVersion(stores[0], 'counted')).toBe(30);
    for (const store of stores) await store.destroy();
  });

  it(
    'goes on with one while the other is killed: nothing is lost, nothing counts twice',
    { timeout: 600_000 },
    async () => {
      const place = await freshDatabase(directory, 'postgres');
      const result = await runCampaign({
        world: await createWorld(directory),
        location: place,
        anchor: await freshAnchor(directory, 'postgres'),
        brokers: 2,
        kills: 6,
      });
      expect(result.lost).toEqual([]);
      expect(result.leases).toBeGreaterThan(10);
      expect(result.renewals).toBeGreaterThan(10);
      const unforeseen = [...result.refusals.keys()].filter((code) =>
        /BROKER_INTERNAL|BROKER_STORE|AUDIT_|status/.test(code),
      );
      expect(unforeseen).toEqual([]);
    },
  );
});
