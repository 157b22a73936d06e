import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSwtpm, swtpmInstalled, type RunningSwtpm } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, runCli, startCli, type CliResult } from '../../../attacks/support/cli.ts';

describe('a broker with an anchor, on the command line', { timeout: 180_000 }, () => {
  const home = mkdtempSync(join(tmpdir(), 'fastness-cli-freshness-'));
  let emulator: RunningSwtpm | undefined;
  let anchor = `sqlite:${join(home, 'elsewhere.db')}`;
  beforeAll(async () => {
    await mustRun(home, ['init']);
    // A real TPM 2.0 emulator where Debian's swtpm is installed, and a database where it is not.
    if (swtpmInstalled) {
      emulator = await startSwtpm(join(home, 'tpm'));
      anchor = `tpm:swtpm:${emulator.socketPath}`;
    }
  });
  afterAll(async () => {
    await emulator?.kill();
    rmSync(home, { recursive: true, force: true });
  });
  /** Starts a broker and stops it when it listens; or what it ended with. */
  const broker = async (...more: string[]): Promise<CliResult> => {
    const running = startCli(home, ['broker', '--listen', 'http://127.0.0.1:0', ...more]);
    await running.waitFor(({ event }) => event === 'listening').catch(() => {});
    return await running.stop();
  };

  it('says loudly that there is none, keeps to one, and refuses a state from before', async () => {
    const before = await runCli(home, ['freshness', 'show', anchor]);
    expect(before.events.at(-1)).toMatchObject({ made: false });
    const anchored = ['--freshness', anchor];
    expect((await broker(...anchored)).exitCode).toBe(0);
    const state = join(home, 'broker');
    cpSync(state, join(home, 'copy'), { recursive: true });
    expect((await broker(...anchored)).exitCode).toBe(0);
    const now = await mustRun(home, ['freshness', 'show', anchor]);
    expect(now.events.at(-1)).toMatchObject({ made: true, kind: swtpmInstalled ? 'tpm-nv' : 'database' });
    rmSync(state, { recursive: true });
    cpSync(join(home, 'copy'), state, { recursive: true });
    expect(await broker(...anchored)).toMatchObject({ exitCode: 5, code: 'FRESHNESS_STATE_OLDER' });
    expect(await broker(...anchored, '--adopt-state')).toMatchObject({ exitCode: 0 });
    expect((await broker(...anchored)).exitCode).toBe(0);
    const without = await broker();
    expect(JSON.stringify(without.events) + without.stderr).toContain('NO ROLLBACK PROTECTION');
  });

  it('takes no anchor that is none', async () => {
    for (const wrong of ['tpm', 'file:x']) {
      expect(await runCli(home, ['freshness', 'show', wrong])).toMatchObject({ exitCode: 2, code: 'FRESHNESS_CONFIG' });
    }
    expect(await broker('--adopt-state')).toMatchObject({ exitCode: 2, code: 'FRESHNESS_CONFIG' });
  });
});
