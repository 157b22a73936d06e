import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64Url } from '@fastness/codec/bytes';
import { encodeOwnerRoot, ownerRootToSign, type OwnerRoot } from '@fastness/model/release';
import { beforeAll, expect, it } from 'vitest';
import { parseBrokerPolicy, type BrokerPolicy } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { errorOf, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, type World } from './world.ts';

// The owner's key is replaced by the one called "stranger", signed by both.
const directory = temporaryDirectory();
let world: World;
let first: OwnerRoot;
let second: OwnerRoot;

beforeAll(async () => {
  world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const spki = async (id: string): Promise<string> => toBase64Url(await world.keyStore.publicKey(id));
  const root = { format: 'fastness/owners/v1', expires: '2026-12-01T00:00:00Z', threshold: 1 } as const;
  first = { ...root, version: 1, keys: [await spki('owner')] };
  second = { ...root, version: 2, keys: [await spki('stranger')] };
});

async function step(signers: string[]): Promise<string> {
  const { payload, signed } = ownerRootToSign(second);
  const signatures = [];
  for (const id of signers) signatures.push({ signature: await world.keyStore.sign(id, signed), keyId: '' });
  return encodeOwnerRoot(payload, signatures);
}
const withRoots = (chain: string[]): BrokerPolicy => ({ ...world.policy, ownerRoots: { trusted: first, chain } });

it('releases of an owner who was replaced end, with the leases of running enclaves', async () => {
  world.clock.now = dawn;
  const broker = await world.start({ policy: withRoots([]) });
  const release = await admin.registered(broker.url, await world.release());
  const enclave = await createEnclave();
  granted(await requestKey(broker.url, { world, enclave, release }));
  const leaseId = String((await admin.audit(broker.url)).at(-1)?.facts['leaseId']);
  const renew = async (): Promise<Awaited<ReturnType<typeof requestKey>>> =>
    requestKey(broker.url, { world, enclave, release, leaseId });
  const put = async (policy: BrokerPolicy): Promise<number> =>
    (await call(`${broker.url}/v1/admin/policy`, { method: 'PUT', token: adminToken, json: { policy } })).status;

  granted(await renew());
  expect(await put(withRoots([await step(['stranger'])]))).toBe(200);
  expect(refusalOf(await renew())).toBe('OWNER_ROOT_THRESHOLD');
  expect(await put(withRoots([await step(['owner', 'stranger'])]))).toBe(200);
  expect(refusalOf(await renew())).toBe('RELEASE_OWNER_UNKNOWN');
  for (const policy of [withRoots([]), world.policy]) expect(await put(policy)).toBe(403);
  world.clock.now = new Date('2026-12-01T00:00:00Z');
  expect(refusalOf(await requestKey(broker.url, { world, enclave, release }))).toMatch(/^OWNER_ROOT_EXPIRED$/);
  await broker.close();
});

it('the chain begins with the keys of the policy', () => {
  const policy = { ...world.policy, ownerRoots: { trusted: second, chain: [] } };
  expect(errorOf(() => parseBrokerPolicy(policy)).code).toBe('BROKER_CONFIG_INVALID');
});
