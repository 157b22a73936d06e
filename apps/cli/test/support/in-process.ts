import { Command, CommanderError } from 'commander';
import { vi } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import type { CliResult } from '../../../../attacks/support/cli.ts';

/**
 * Runs one command as `fastness --home HOME --json ARGS` would, without starting a process for it: a process takes a second
 * or two. What `main.ts` adds - errors of the command line itself - is done here the same way.
 */
export async function runInProcess(
  makeCommand: () => Command,
  home: string,
  args: readonly string[],
): Promise<CliResult> {
  let out = '';
  let stderr = '';
  const stdoutSpy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderrSpy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  // A command lets go of the channel to its parent; here that is the test runner's, and the worker would end in mid-test.
  const channelSpy =
    process.channel === undefined ? undefined : vi.spyOn(process.channel, 'unref').mockImplementation(() => {});
  const before = process.exitCode;
  process.exitCode = 0;
  let exitCode: number;
  let usage: string | undefined;
  try {
    const command = makeCommand().exitOverride();
    for (const subcommand of command.commands) subcommand.exitOverride();
    const program = new Command('fastness')
      .option('--home <folder>')
      .option('--json')
      .exitOverride()
      .addCommand(command);
    await program.parseAsync(['--home', home, '--json', ...args], { from: 'user' });
    exitCode = exitCodeNow();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    usage = error.message;
    ({ exitCode } = new FastnessError('CLI_USAGE'));
  } finally {
    process.exitCode = before;
    stdoutSpy.mockRestore();
    stderrSpy.mockRestore();
    channelSpy?.mockRestore();
  }
  const events = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const problem = events.findLast(({ event }) => event === 'error')?.['code'];
  return {
    exitCode,
    events,
    stderr,
    code: usage === undefined ? (typeof problem === 'string' ? problem : undefined) : 'CLI_USAGE',
  };
}

/** In a function, or the compiler takes it for what was assigned above. */
function exitCodeNow(): number {
  return Number(process.exitCode ?? 0);
}
