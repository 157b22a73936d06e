import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Broker, BrokerPolicy, Membership } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey, type Answer, type TestEnclave } from './actors.ts';
import { brokerDatabase, databaseKinds, freshDatabase, isAvailable } from './databases.ts';
import { heldKey, proposals, type HeldKey } from './quorum-actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, keyStoreWith, type TestRelease, type World } from './world.ts';

/*
 * Rules are changed at one broker while another one decides: what it decides under rules that were replaced comes to
 * nothing, whenever that happened before its transaction. On SQLite the one broker is both.
 */
const directory = temporaryDirectory();
const [ann, ben, cleo, dana] = [heldKey('P-256'), heldKey('P-384'), heldKey('Ed25519'), heldKey('P-256')];
const members = (threshold: number, ...keys: HeldKey[]): Membership => ({
  threshold,
  members: keys.map(({ registered }, index) => ({ id: `member-${index}`, keys: [registered] })),
});
const first = members(2, ann, ben, cleo);

/** Stops whoever passes until it is opened; says when somebody waits. */
function gate(): { pass: () => Promise<void>; reached: Promise<void>; open: () => void; shut: () => void } {
  let isShut = false;
  const arrival = Promise.withResolvers<void>();
  const opening = Promise.withResolvers<void>();
  return {
    async pass() {
      if (!isShut) return;
      arrival.resolve();
      await opening.promise;
    },
    reached: arrival.promise,
    open: () => opening.resolve(),
    shut() {
      isShut = true;
    },
  };
}

describe.each(databaseKinds)('rules changed elsewhere while a broker decides, on %s', (kind) => {
  describe.skipIf(!isAvailable(kind))('(where it is installed)', () => {
    let world: World;
    let release: TestRelease;
    let enclave: TestEnclave;
    let here: Broker;
    let elsewhere: Broker;
    let brokers: Set<Broker>;
    let unwrapping: ReturnType<typeof gate>;
    let signing: ReturnType<typeof gate>;

    beforeAll(async () => {
      world = await createWorld(directory);
      release = await world.release();
    });
    beforeEach(async () => {
      world.clock.now = dawn;
      enclave = await createEnclave();
      unwrapping = gate();
      signing = gate();
    });
    afterEach(async () => {
      for (const each of [unwrapping, signing]) each.open();
      for (const broker of brokers) await broker.close();
    });

    async function start(options: Parameters<World['start']>[0] = {}): Promise<void> {
      const location = await freshDatabase(directory, kind);
      const { keyStore } = world;
      const slow = keyStoreWith(keyStore, {
        unwrap: async (wrapped, context) => {
          await unwrapping.pass();
          return await keyStore.unwrap(wrapped, context);
        },
        sign: async (id, message) => {
          await signing.pass();
          return await keyStore.sign(id, message);
        },
      });
      const common = { ...brokerDatabase(location), ...options };
      here = await world.start({
        ...common,
        instance: 'here',
        auditPath: freshPath(directory, 'audit'),
        // The log is signed by another key, which does not wait.
        log: { keyId: 'other-broker' },
        keyStore: slow,
        signer: { keyStore: slow, keyId: 'broker' },
      });
      elsewhere =
        kind === 'sqlite'
          ? here
          : await world.start({ ...common, instance: 'elsewhere', auditPath: freshPath(directory, 'audit') });
      brokers = new Set([here, elsewhere]);
    }
    const putPolicy = async (broker: Broker, changes: Partial<BrokerPolicy>): Promise<Answer> =>
      await call(`${broker.url}/v1/admin/policy`, {
        method: 'PUT',
        token: adminToken,
        json: { policy: { ...world.policy, ...changes } },
      });
    const policyAt = async (broker: Broker): Promise<unknown> =>
      (await call(`${broker.url}/v1/admin/policy`, { token: adminToken })).body;
    const execute = async (broker: Broker, action: unknown, ...keys: HeldKey[]): Promise<Answer> => {
      const view = await proposals.created(broker.url, action);
      for (const key of keys) expect((await proposals.approve(broker.url, view, key)).status).toBe(200);
      return await proposals.execute(broker.url, view.id);
    };
    const released = async (): Promise<number> =>
      (await admin.audit(here.url)).filter(({ kind: each }) => each === 'key-released').length;

    it('a key is not released under a policy that was replaced after its evidence was verified', async () => {
      await start();
      await admin.registered(elsewhere.url, release);
      granted(await requestKey(here.url, { world, enclave, release }));
      signing.shut();
      const pending = requestKey(here.url, { world, enclave, release });
      // The lease is signed after everything was verified, before the transaction.
      await signing.reached;
      const changed = await putPolicy(elsewhere, { id: 'stricter', models: { other: {} } });
      expect(changed.status, JSON.stringify(changed.body)).toBe(200);
      signing.open();
      const answer = await pending;
      expect([answer.status, refusalOf(answer)]).toEqual([503, 'BROKER_RULES_CHANGED']);
      expect(await released()).toBe(1);
      expect(refusalOf(await requestKey(here.url, { world, enclave, release }))).toBe('BROKER_MODEL_NOT_ALLOWED');
      expect(await policyAt(here)).toMatchObject({ generation: 1, policy: { id: 'stricter' } });
    });

    it('a renewal neither, and a revocation counts up to the very end', async () => {
      await start();
      await admin.registered(elsewhere.url, release);
      granted(await requestKey(here.url, { world, enclave, release }));
      const leaseId = String((await admin.audit(here.url)).at(-1)?.facts['leaseId']);
      signing.shut();
      const pending = [undefined, leaseId].map((id) =>
        requestKey(here.url, { world, enclave, release, ...(id === undefined ? {} : { leaseId: id }) }),
      );
      await signing.reached;
      expect((await admin.revoke(elsewhere.url, 'release', release.digestHex)).status).toBe(200);
      signing.open();
      for (const answer of await Promise.all(pending)) expect(refusalOf(answer)).toBe('BROKER_RELEASE_REVOKED');
      expect(await released()).toBe(1);
    });

    it('a release is not registered under a policy that was replaced meanwhile', async () => {
      await start();
      unwrapping.shut();
      const pending = admin.register(here.url, release);
      await unwrapping.reached;
      expect((await putPolicy(elsewhere, { id: 'other' })).status).toBe(200);
      unwrapping.open();
      expect(refusalOf(await pending)).toBe('BROKER_RULES_CHANGED');
      expect(refusalOf(await requestKey(elsewhere.url, { world, enclave, release }))).toBe('BROKER_RELEASE_UNKNOWN');
      await admin.registered(here.url, release);
    });

    it('of two policies that are set at once, one is told to look again', async () => {
      await start();
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, index) => putPolicy(index % 2 === 0 ? here : elsewhere, { id: `p-${index}` })),
      );
      const done = answers.filter(({ status }) => status === 200).length;
      expect(done).toBeGreaterThan(0);
      for (const answer of answers) if (answer.status !== 200) expect(refusalOf(answer)).toBe('BROKER_RULES_CHANGED');
      expect(await policyAt(here)).toMatchObject({ generation: done });
      expect(await policyAt(elsewhere)).toEqual(await policyAt(here));
    });

    it('a proposal is neither made nor executed for a quorum that was replaced meanwhile', async () => {
      await start({ quorum: { membership: first } });
      const action = { kind: 'release', registration: { package: release.package, keys: release.keys } };
      const open = await proposals.created(here.url, action);
      for (const key of [ann, ben]) await proposals.approve(elsewhere.url, open, key);
      unwrapping.shut();
      const executing = proposals.execute(here.url, open.id);
      await unwrapping.reached;
      const making = proposals.create(here.url, action);
      const replaced = await execute(elsewhere, { kind: 'quorum', membership: members(2, ben, cleo, dana) }, ann, cleo);
      expect(replaced.status, JSON.stringify(replaced.body)).toBe(200);
      unwrapping.open();
      expect(refusalOf(await executing)).toBe('BROKER_RULES_CHANGED');
      const made = await making;
      // Whichever of the two came first.
      if (made.status !== 200) expect(refusalOf(made)).toBe('BROKER_RULES_CHANGED');
      expect(await proposals.show(here.url, open.id)).toMatchObject({ state: 'cancelled' });
      expect(refusalOf(await requestKey(here.url, { world, enclave, release }))).toBe('BROKER_RELEASE_UNKNOWN');

      // The new members decide at either broker, and the old one who left at none.
      const next = await proposals.created(here.url, action);
      for (const { url } of brokers) expect(await quorumAt(url)).toMatchObject({ generation: 1 });
      expect(
        refusalOf(await proposals.send(elsewhere.url, next.id, ann.keyId, { kind: 'key', signature: 'AAAAAAAAAAAA' })),
      ).toBe('QUORUM_KEY_UNKNOWN');
      expect((await proposals.approve(elsewhere.url, next, dana)).status).toBe(200);
      expect((await proposals.approve(here.url, next, cleo)).status).toBe(200);
      expect((await proposals.execute(elsewhere.url, next.id)).status).toBe(200);
      granted(await requestKey(here.url, { world, enclave, release }));
    });

    it('an approved policy is in force at the other broker with the next request, and survives both', async () => {
      await start({ quorum: { membership: first } });
      const action = { kind: 'release', registration: { package: release.package, keys: release.keys } };
      expect((await execute(elsewhere, action, ann, ben)).status).toBe(200);
      granted(await requestKey(here.url, { world, enclave, release }));
      const policy = { ...world.policy, id: 'closed', models: { other: {} } };
      expect((await execute(elsewhere, { kind: 'policy', policy }, ben, cleo)).status).toBe(200);
      expect(refusalOf(await requestKey(here.url, { world, enclave, release }))).toBe('BROKER_MODEL_NOT_ALLOWED');
      expect(await policyAt(here)).toEqual(await policyAt(elsewhere));
    });

    const quorumAt = async (url: string): Promise<unknown> =>
      (await call(`${url}/v1/admin/quorum`, { token: adminToken })).body;
  });
});
