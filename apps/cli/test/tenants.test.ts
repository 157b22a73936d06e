import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiKeyDigest, readAccess } from '@fastness/model';
import { parseRelease } from '@fastness/model/release';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { defaultModel } from '../../../attacks/support/world.ts';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { initCommand } from '../src/commands/init.ts';
import { sealCommand } from '../src/commands/seal.ts';
import { signCommand } from '../src/commands/sign.ts';
import { tenantsCommand } from '../src/commands/tenants.ts';
import { upCommand } from '../src/commands/up.ts';
import { clientForHome } from '../src/support/client.ts';
import { homeAt } from '../src/support/home.ts';
import { runInProcess } from './support/in-process.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let home: string;
const tenants = (...args: string[]): Promise<CliResult> => runInProcess(tenantsCommand, home, ['tenants', ...args]);
const done = async (result: Promise<CliResult>): Promise<CliResult> => {
  const settled = await result;
  expect(settled).toMatchObject({ exitCode: 0, code: undefined });
  return settled;
};
const sign = (...args: string[]): Promise<CliResult> =>
  done(runInProcess(signCommand, home, ['sign', '--measurement', 'ab'.repeat(48), ...args]));
const release = async () => parseRelease(await readFile(join(home, 'models/triage/release.json'), 'utf8'));
const listed = async () => {
  const { modelId, access } = await release();
  if (access === undefined) throw new Error('the release lets everybody in');
  return readAccess(await readFile(join(home, 'models/triage/access.json'), 'utf8'), { modelId, access });
};
const keyOf = (result: CliResult) => result.events.find(({ event }) => event === 'key-made');

beforeAll(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'fastness-cli-tenants-')), 'home');
  await done(runInProcess(initCommand, home, ['init', '--tee', 'auto', '--approvers', 'alice', '--threshold', '1']));
  await done(runInProcess(sealCommand, home, ['seal', defaultModel]));
});
afterAll(() => rm(join(home, '..'), { recursive: true }));

describe('fastness tenants', () => {
  it('makes keys that are in one file alone, and signs a list without names for the release that asks for it', async () => {
    const made = keyOf(await done(tenants('add', 'ward-7', '--requests-per-minute', '60', '--concurrent', '2')));
    const path = String(made?.['path']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const key = (await readFile(path, 'utf8')).trim();
    await done(tenants('sign', '--expires-in', '7d'));
    await sign('--tenants');
    expect((await release()).access?.leastVersion).toBe(1);
    const { tenants: list, version } = await listed();
    expect(version).toBe(1);
    expect(list).toEqual([
      {
        id: expect.stringMatching(/^[\w-]{22}$/),
        keys: [{ id: made?.['key'], sha256: apiKeyDigest(key).toString('hex') }],
        limits: { requestsPerMinute: 60, concurrent: 2 },
      },
    ]);
    const ledger = await readFile(join(home, 'tenants/tenants.json'), 'utf8');
    const published = await readFile(join(home, 'models/triage/access.json'), 'utf8');
    for (const text of [ledger, published]) expect(text).not.toContain(key.slice(21));
    expect(Buffer.from(JSON.parse(published).payload, 'base64').toString()).not.toContain('ward-7');
  });

  it('changes limits and keys, removes tenants, and every list counts on', async () => {
    const target = join(home, 'elsewhere.key');
    const second = keyOf(await done(tenants('new-key', 'ward-7', '--to', target)));
    expect(second).toMatchObject({ path: target });
    expect(await tenants('new-key', 'ward-7', '--to', target)).toMatchObject({ code: 'CLI_USAGE' });
    await done(tenants('limit', 'ward-7', '--tokens-per-day', '1000'));
    await done(tenants('add', 'lab'));
    await done(tenants('add', 'archive'));
    await done(tenants('drop-key', 'ward-7', String(second?.['key'])));
    await done(tenants('remove', 'lab'));
    await done(tenants('sign'));
    // The next release asks for no older list, without being told again.
    await sign();
    expect((await release()).access?.leastVersion).toBe(2);
    const { version, tenants: list } = await listed();
    expect([version, list.length, list[0]?.keys.length]).toEqual([2, 2, 1]);
    expect(list[0]?.limits).toEqual({ tokensPerDay: 1000 });
  });

  it.each([
    [['add', 'Ward 7']],
    [['add', 'ward-7']],
    [['add', 'x', '--concurrent', '0']],
    [['limit', 'nobody']],
    [['drop-key', 'ward-7', 'A'.repeat(16)]],
    [['remove', 'nobody']],
  ])('%j is refused', async (args) => {
    expect(await tenants(...args)).toMatchObject({ code: 'CLI_USAGE' });
  });

  it('are told of before `fastness up` starts anything that would refuse it', async () => {
    const refused = await runInProcess(upCommand, home, ['up', '--any-port']);
    expect(refused).toMatchObject({ code: 'CLI_USAGE' });
    expect(JSON.stringify(refused.events)).toContain('--api-key-file');
    expect(refused.events.map(({ event }) => event)).not.toContain('broker-started');
  });

  it('clients take a key from a file, and only a key', async () => {
    const wrong = join(home, 'wrong.key');
    await writeFile(wrong, 'sk-something-else\n');
    await expect(clientForHome(homeAt(home), { apiKeyFile: wrong })).rejects.toMatchObject({ code: 'CLI_USAGE' });
  });
});
