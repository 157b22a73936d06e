import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { Home } from './home.ts';
import { repositoryRoot } from './image.ts';

/** This program, as it was started: from source or built. */
const mainFile = process.argv[1] ?? join(repositoryRoot, 'apps/cli/src/main.ts');

/** What a server command prints on standard output, with `--json`, once it accepts connections. */
const listeningSchema = z.looseObject({ event: z.literal('listening'), url: z.url() });

export interface RunningChild {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
  /** Asks the process to stop and waits for it; after the grace period it is killed. */
  stop(): Promise<void>;
  /** Resolves with the exit code once the process has ended by itself or was stopped. */
  readonly ended: Promise<number | null>;
}

const stopGraceMilliseconds = 8_000;

/** Arguments that start another command of this program under the same Node and the same conditions. */
function ownCommand(home: Home, args: readonly string[]): { file: string; args: string[] } {
  return { file: process.execPath, args: [...process.execArgv, mainFile, '--home', home.path, '--json', ...args] };
}

/**
 * Starts `fastness NAME ...` as a process of its own and waits until it listens. Its standard error goes to
 * `logs/NAME.log` in the home; its last lines are part of the error when it does not come up.
 */
export async function startChild(options: {
  home: Home;
  name: string;
  args: readonly string[];
  readyMilliseconds: number;
  signal: AbortSignal;
}): Promise<RunningChild> {
  const { home, name, signal } = options;
  if (signal.aborted) throw new FastnessError('CLI_INTERRUPTED');
  const command = ownCommand(home, [name, ...options.args]);
  // The channel tells the child when this process is gone. A process group of its own: Ctrl-C reaches the parent only, which stops its children in order.
  const child = spawn(command.file, command.args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
  const log = createWriteStream(join(home.logDirectory, `${name}.log`), { flags: 'a', mode: 0o600 });
  const recent: string[] = [];
  if (child.stderr === null) throw new FastnessError('CLI_CHILD_FAILED', name);
  createInterface({ input: child.stderr }).on('line', (text) => {
    log.write(`${text}\n`);
    recent.push(text);
    if (recent.length > 5) recent.shift();
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      log.end();
      resolve(code);
    });
    child.once('error', () => resolve(null));
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopGraceMilliseconds);
    await ended;
    clearTimeout(timer);
  };
  try {
    const url = await readUrl(child, ended, options.readyMilliseconds, signal, () => recent.join(' | '), name);
    return { name, url, process: child, stop, ended };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readUrl(
  child: ChildProcess,
  ended: Promise<number | null>,
  milliseconds: number,
  signal: AbortSignal,
  recent: () => string,
  name: string,
): Promise<string> {
  if (child.stdout === null) throw new FastnessError('CLI_CHILD_FAILED', name);
  const lines = createInterface({ input: child.stdout });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      let problem: FastnessError | undefined;
      lines.on('line', (text) => {
        const value = parseLine(text);
        const listening = listeningSchema.safeParse(value);
        if (listening.success) resolve(listening.data.url);
        else problem = FastnessError.fromProblem(value) ?? problem;
      });
      timer = setTimeout(() => reject(new FastnessError('CLI_CHILD_TIMEOUT', `${name}: ${recent()}`)), milliseconds);
      signal.addEventListener('abort', () => reject(new FastnessError('CLI_INTERRUPTED')), { once: true });
      void ended.then((code) =>
        // Its last output line may still be on the way when the exit is seen.
        setTimeout(
          () =>
            reject(
              problem ?? new FastnessError('CLI_CHILD_FAILED', `${name} ended with ${code ?? 'a signal'}: ${recent()}`),
            ),
          100,
        ),
      );
    });
  } finally {
    clearTimeout(timer);
  }
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
