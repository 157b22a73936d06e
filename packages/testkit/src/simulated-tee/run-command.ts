import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FastnessError } from '@fastness/codec/errors';

/** Signals passed on to the command. */
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Variables that would load code which was not measured. */
const unmeasured = /^(?:LD_|DYLD_|NODE_OPTIONS$|NODE_PATH$|NODE_REPL_EXTERNAL_MODULE$)/;

/** The environment for the command: the one given, without the variables that inject code, and with the socket. */
export function commandEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  socketPath: string,
): Record<string, string | undefined> {
  const kept = Object.entries(environment).filter(([name]) => !unmeasured.test(name));
  return { ...Object.fromEntries(kept), FASTNESS_SIMULATED_TEE: socketPath };
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
