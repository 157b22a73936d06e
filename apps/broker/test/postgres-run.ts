import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresPrograms, serverFolderVariable } from './postgres-programs.ts';

// Around a whole run of tests: a name for the folder of its PostgreSQL server, which the first test that needs it starts
// (see `sharedPostgres`), and its end.
export function setup(): () => void {
  const parent = mkdtempSync(join(tmpdir(), 'fastness-tests-'));
  // The server's user must be able to reach its own folder inside.
  spawnSync('chmod', ['711', parent]);
  const folder = join(parent, 'postgres');
  process.env[serverFolderVariable] = folder;
  if (postgresPrograms === undefined) {
    process.stderr.write('No PostgreSQL server is installed: the tests of brokers on PostgreSQL are skipped.\n');
    process.stderr.write('Next: apt-get install postgresql.\n');
  }
  return () => {
    const pidFile = join(folder, 'data', 'postmaster.pid');
    if (existsSync(pidFile)) {
      const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
      // The data goes with it: no need for a clean end.
      if (Number.isInteger(pid) && pid > 1) process.kill(pid, 'SIGQUIT');
      for (let wait = 0; wait < 100 && existsSync(pidFile); wait += 1) spawnSync('sleep', ['0.05']);
    }
    rmSync(parent, { recursive: true, force: true });
  };
}
