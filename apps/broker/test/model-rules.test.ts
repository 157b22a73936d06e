import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseBrokerPolicy, type BrokerPolicy } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { errorOf, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const day = 86_400;
let world: World;
let release: TestRelease;
let owner: string;

beforeAll(async () => {
  world = await createWorld(mkdtempSync(join(directory, 'world-')));
  release = await world.release();
  const broker = await world.start();
  await admin.registered(broker.url, release);
  const entry = (await admin.audit(broker.url)).find(({ kind }) => kind === 'release-registered');
  owner = String(entry?.facts['ownerKey']);
  await broker.close();
});

type Rule = NonNullable<BrokerPolicy['models']>[string];
const withRule = (rule: Rule): BrokerPolicy => ({ ...world.policy, models: { tiny: rule } });

/** 'registered', or the code of the refusal. */
async function outcome(rule: Rule): Promise<string> {
  const broker = await world.start({ policy: withRule(rule) });
  try {
    const answer = await admin.register(broker.url, release);
    return answer.status === 200 ? 'registered' : refusalOf(answer);
  } finally {
    await broker.close();
  }
}

describe('what the policy asks of releases of one model', () => {
  it('takes one that meets all of it', async () => {
    expect(
      await outcome({
        minimumVersion: 1,
        signers: [owner],
        approvals: { threshold: 2, approvers: ['alice', 'bob'] },
        maximumValiditySeconds: 60 * day,
      }),
    ).toBe('registered');
  });

  it.each<[string, () => Rule]>([
    ['BROKER_MODEL_NOT_ALLOWED', () => ({ minimumVersion: 2 })],
    ['RELEASE_SIGNER_NOT_ALLOWED', () => ({ signers: ['ab'.repeat(32)] })],
    // Alice and Bob approved.
    ['RELEASE_APPROVALS_BELOW_POLICY', () => ({ approvals: { threshold: 2, approvers: ['alice', 'carol'] } })],
    ['RELEASE_APPROVALS_BELOW_POLICY', () => ({ approvals: { threshold: 3, approvers: ['alice', 'bob', 'carol'] } })],
    ['RELEASE_VALIDITY_TOO_LONG', () => ({ maximumValiditySeconds: 30 * day })],
    ['RELEASE_LOG_REQUIRED', () => ({ transparency: { witnesses: 0 } })],
  ])('%s', async (code, rule) => {
    expect(await outcome(rule())).toBe(code);
  });

  it('a rule that changes reaches enclaves that run', async () => {
    const broker = await world.start();
    await admin.registered(broker.url, release);
    const enclave = await createEnclave();
    granted(await requestKey(broker.url, { world, enclave, release }));
    const leaseId = String((await admin.audit(broker.url)).at(-1)?.facts['leaseId']);
    const json = { policy: withRule({ maximumValiditySeconds: day }) };
    await call(`${broker.url}/v1/admin/policy`, { method: 'PUT', token: adminToken, json });
    expect(refusalOf(await requestKey(broker.url, { world, enclave, release, leaseId }))).toBe(
      'RELEASE_VALIDITY_TOO_LONG',
    );
    await broker.close();
  });

  it('refuses a rule that nobody could meet', () => {
    for (const approvals of [
      { threshold: 3, approvers: ['alice', 'bob'] },
      { threshold: 2, approvers: ['alice', 'alice'] },
      { threshold: 1, approvers: ['mallory'] },
    ])
      expect(errorOf(() => parseBrokerPolicy(withRule({ approvals }))).code).toBe('BROKER_CONFIG_INVALID');
  });
});
