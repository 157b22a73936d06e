import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mustRun, runCli } from '../../../attacks/support/cli.ts';

const home = mkdtempSync(join(tmpdir(), 'fastness-cli-database-'));
beforeAll(() => mustRun(home, ['init']), 120_000);
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

it('takes no password on the command line, and does not repeat it', { timeout: 120_000 }, async () => {
  const result = await runCli(home, ['broker', '--database', 'postgresql://broker:sesame@127.0.0.1/fastness']);
  expect(result).toMatchObject({ exitCode: 2, code: 'BROKER_CONFIG_INVALID' });
  expect(JSON.stringify(result.events) + result.stderr).not.toContain('sesame');
});

it('says that a database cannot be reached', { timeout: 120_000 }, async () => {
  const url = `postgresql:///fastness?host=${encodeURIComponent(home)}&user=broker`;
  expect(await runCli(home, ['broker', '--database', url])).toMatchObject({
    exitCode: 7,
    code: 'BROKER_STORE_UNREACHABLE',
  });
});
