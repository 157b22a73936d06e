import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Runs a program with `kill-at-write.ts` before it, which ends it at its `killAt`-th write; 0: never. */
export async function runUntilKilled(
  program: string,
  killAt: number,
  environment: Readonly<Record<string, string>>,
): Promise<{ signal: string | null; stdout: string; stderr: string }> {
  const killAtWrite = join(import.meta.dirname, 'kill-at-write.ts');
  const flags = ['--disable-warning=ExperimentalWarning', '--conditions=source'];
  const child = spawn(process.execPath, [...flags, '--import', killAtWrite, program], {
    env: { PATH: process.env['PATH'], KILL_AT: String(killAt), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await closed;
  return { signal: child.signalCode, stdout, stderr };
}
