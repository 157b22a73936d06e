import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FastnessError } from '@fastness/codec/errors';

/** Signals passed on to the command. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The variables that the command gets from this process. Any other could load code that was not measured: the dynamic
 * linker, Node, OpenSSL and the engines all read variables that name libraries, and no list of those is complete.
 */
const passed = ['PATH', 'LANG', 'TZ'] as const;

/**
 * The environment for the command: the few variables passed on, and the socket.
 *
 * The command itself is not measured, only the image is: whoever starts the simulated TEE chooses what runs inside, and
 * could as well run `env NAME=VALUE program`. Hardware measures what it launches; this stands in for it.
 */
export function commandEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  socketPath: string,
): Record<string, string> {
  const kept: Record<string, string> = { FASTNESS_SIMULATED_TEE: socketPath };
  for (const name of passed) {
    const value = environment[name];
    if (value !== undefined) kept[name] = value;
  }
  return kept;
}

/**
 * Runs the command as a child with this process's streams, passing signals on to it.
 * @returns its exit code; 128 plus the number of the signal that ended it
 * @throws TESTKIT_COMMAND when it cannot be started
 */
export async function runCommand(options: {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}): Promise<number> {
  const [file = '', ...args] = options.command;
  const child = spawn(file, args, { stdio: 'inherit', env: { ...options.environment } });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of forwarded) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => reject(new FastnessError('TESTKIT_COMMAND', file, { cause })));
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
  } finally {
    for (const signal of forwarded) process.off(signal, forward);
  }
}
