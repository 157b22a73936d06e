import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, runCli, startCli } from './support/cli.ts';
import { createWorld, signAndApprove, type Service, type World } from './support/world.ts';

// Releases that were not approved, are over, go back or were taken back.

const anyPort = 'http://127.0.0.1:0';

describe('releases', { timeout: 600_000 }, () => {
  let world: World;
  let broker: Service;
  let shortSignedAt: number;

  beforeAll(async () => {
    world = await createWorld({ release: false });
    // The shortest lease there is, so that a revocation is seen to arrive within one.
    await world.editJson('policy/broker.json', (policy) => {
      policy['lease'] = { ttlSeconds: 10, renewSuperseded: true };
    });
    broker = await world.start('broker');
    // Its minute passes while the other tests run; the last one comes back to it.
    shortSignedAt = Date.now();
    await signAndApprove(world, ['--expires-in', '60s']);
    await world.copyModel('short', async () => {});
  }, 600_000);
  afterAll(async () => {
    await world.dispose();
  });

  const publish = async (): Promise<string | undefined> =>
    (await runCli(world.home, ['publish', '--url', broker.url])).code;
  const approval = (name: string): string => join(world.modelDir, 'approvals', `${name}.json`);

  it('refuses one approval where two are needed', async () => {
    await mustRun(world.home, ['sign']);
    await mustRun(world.home, ['approve', '--as', 'alice']);
    expect(await publish()).toBe('APPROVAL_MISSING');
  });

  it('refuses the same approver twice', async () => {
    await copyFile(approval('alice'), approval('bob'));
    expect(await publish()).toBe('APPROVAL_DUPLICATE');
    await rm(approval('bob'));
  });

  it('refuses an approval of another release', async () => {
    const old = await readFile(approval('alice'));
    await mustRun(world.home, ['sign']);
    await mustRun(world.home, ['approve', '--as', 'bob']);
    await writeFile(approval('alice'), old);
    expect(await publish()).toBe('APPROVAL_OTHER_RELEASE');
  });

  it('does not give the key to an enclave whose measurement the release does not name', async () => {
    await signAndApprove(world, ['--measurement', 'ab'.repeat(48)]);
    expect(await publish()).toBeUndefined();
    const result = await runCli(world.home, ['enclave', '--listen', anyPort, '--broker', broker.url]);
    expect(result.code).toBe('SNP_MEASUREMENT_NOT_ALLOWED');
  });

  it('does not go back to a version below one that was served', async () => {
    await signAndApprove(world);
    expect(await publish()).toBeUndefined();
    await world.copyModel('older', async () => {});
    await signAndApprove(world);
    expect(await publish()).toBeUndefined();
    const enclave = await world.start('enclave', ['--broker', broker.url]);
    await enclave.stop();
    const result = await runCli(world.home, [
      'enclave',
      '--model',
      'older',
      '--listen',
      anyPort,
      '--broker',
      broker.url,
    ]);
    expect(result.code).toBe('BROKER_VERSION_ROLLBACK');
  });

  it('stops a running enclave at its next renewal when its release is revoked', async () => {
    const { releaseDigest } = await signAndApprove(world);
    expect(await publish()).toBeUndefined();
    const enclave = startCli(world.home, ['enclave', '--listen', anyPort, '--broker', broker.url]);
    const url = String((await enclave.waitFor((event) => event['event'] === 'listening'))['url']);
    await mustRun(world.home, ['verify', url]);
    await mustRun(world.home, ['revoke', 'release', releaseDigest, '--reason', 'test', '--url', broker.url]);
    const result = await enclave.ended;
    expect(result.code).toBe('BROKER_RELEASE_REVOKED');
    expect((await runCli(world.home, ['verify', url])).exitCode).toBe(7);
    expect((await runCli(world.home, ['enclave', '--listen', anyPort, '--broker', broker.url])).code).toBe(
      'BROKER_RELEASE_REVOKED',
    );
  });

  it('refuses a release that is over', async () => {
    await sleep(Math.max(0, shortSignedAt + 61_000 - Date.now()));
    const result = await runCli(world.home, ['publish', '--model', 'short', '--url', broker.url]);
    expect(result.code).toBe('RELEASE_EXPIRED');
  });
});
