import { randomBytes } from 'node:crypto';
import { fromHex, toHex } from '@fastness/codec/bytes';
import { forgeAmdChain } from '@fastness/testkit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Broker } from '../src/index.ts';
import {
  admin,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type AttestOptions,
  type TestEnclave,
} from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { createWorld, dawn, keyStoreWith, type TestRelease, type World } from './world.ts';

// Between the verification and its record the broker signs, which with an HSM takes a while. Here something happens in that
// while, and the broker must notice.
const directory = temporaryDirectory();
let world: World;
let broker: Broker;
let enclave: TestEnclave;
let meanwhile: (() => Promise<unknown>) | undefined;
const roots: Uint8Array[] = [];

beforeAll(async () => {
  world = await createWorld(directory);
  const signing = keyStoreWith(world.keyStore, {
    async sign(id, message) {
      const happens = meanwhile;
      meanwhile = undefined;
      await happens?.();
      return await world.keyStore.sign(id, message);
    },
  });
  const keyStore = keyStoreWith(world.keyStore, {
    async unwrap(wrapped, context) {
      const root = await world.keyStore.unwrap(wrapped, context);
      roots.push(root);
      return root;
    },
  });
  broker = await world.start({ keyStore, signer: { keyStore: signing, keyId: 'broker' } });
});
afterAll(() => broker.close());
beforeEach(async () => {
  meanwhile = undefined;
  enclave = await createEnclave();
});

/** What may happen, what the broker then says, and the attestation that it happens to. */
interface Happening {
  readonly code: string;
  readonly asked: Pick<AttestOptions, 'release' | 'chain' | 'report'>;
  readonly happens: () => Promise<unknown>;
}

let models = 0;
async function freshRelease(changes: Parameters<World['release']>[0] = {}): Promise<TestRelease & { modelId: string }> {
  models += 1;
  const modelId = `race-${models}`;
  const release = await admin.registered(broker.url, await world.release({ modelId, ...changes }, { modelId }));
  return { ...release, modelId };
}

const happenings: Record<string, () => Promise<Happening>> = {
  'the release is revoked': async () => {
    const release = await freshRelease();
    const happens = (): Promise<unknown> => admin.revoke(broker.url, 'release', release.digestHex);
    return { code: 'BROKER_RELEASE_REVOKED', asked: { release }, happens };
  },
  'the measurement is revoked': async () => {
    const value = randomBytes(48).toString('hex');
    const release = await freshRelease({ measurements: [{ tee: 'sev-snp', simulated: false, value }] });
    const happens = (): Promise<unknown> => admin.revoke(broker.url, 'measurement', value);
    const report = { measurement: fromHex(value) };
    return { code: 'BROKER_MEASUREMENT_REVOKED', asked: { release, report }, happens };
  },
  'the platform is revoked': async () => {
    const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now: dawn });
    const happens = (): Promise<unknown> => admin.revoke(broker.url, 'platform', toHex(chain.hwid));
    return { code: 'BROKER_PLATFORM_REVOKED', asked: { release: await freshRelease(), chain }, happens };
  },
  'a newer version is registered': async () => {
    const older = await freshRelease();
    const { modelId } = older;
    const newer = await world.release({ modelId, version: 2 }, { modelId });
    const happens = (): Promise<unknown> => admin.registered(broker.url, newer);
    return { code: 'BROKER_VERSION_ROLLBACK', asked: { release: older }, happens };
  },
};

for (const [name, prepare] of Object.entries(happenings)) {
  it(`no key leaves when, after the verification, ${name}`, async () => {
    const { code, asked, happens } = await prepare();
    const before = (await admin.audit(broker.url)).length;
    meanwhile = happens;
    expect(refusalOf(await requestKey(broker.url, { world, enclave, ...asked }))).toBe(code);
    const entries = (await admin.audit(broker.url)).slice(before).filter(({ kind }) => kind !== 'approval-seen');
    expect(entries).toHaveLength(2);
    expect(entries[0]?.kind).toBe(code === 'BROKER_VERSION_ROLLBACK' ? 'release-registered' : 'revocation');
    expect(entries[1]).toMatchObject({ kind: 'refused', facts: { operation: 'key-release', code } });
  });

  it(`no lease is renewed when, after the verification, ${name}`, async () => {
    const { code, asked, happens } = await prepare();
    granted(await requestKey(broker.url, { world, enclave, ...asked }));
    const leaseId = String((await admin.audit(broker.url)).at(-1)?.facts['leaseId']);
    meanwhile = happens;
    expect(refusalOf(await requestKey(broker.url, { world, enclave, ...asked, leaseId }))).toBe(code);
    expect((await admin.audit(broker.url)).at(-1)).toMatchObject({
      facts: { operation: 'lease-renewal', code, leaseId },
    });
  });
}

it('wipes the root key in memory after registration and after every release', async () => {
  const release = await freshRelease();
  granted(await requestKey(broker.url, { world, enclave, release }));
  expect(roots.length).toBeGreaterThanOrEqual(2);
  for (const root of roots) expect(root.every((byte) => byte === 0)).toBe(true);
});
