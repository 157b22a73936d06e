import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const mainFile = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url));
const nodeArguments = ['--disable-warning=ExperimentalWarning', '--conditions=source', mainFile];

export interface CliResult {
  readonly exitCode: number | null;
  readonly events: readonly Record<string, unknown>[];
  readonly stderr: string;
  /** The code of the error that the command printed, if any. */
  readonly code: string | undefined;
}

/** A running `fastness` process: its JSON lines so far, and what it wrote on standard error. */
export interface CliProcess {
  readonly child: ChildProcess;
  readonly events: Record<string, unknown>[];
  stderr(): string;
  /** Resolves with the first event that matches; rejects when the process ends first. */
  waitFor(
    predicate: (event: Record<string, unknown>) => boolean,
    milliseconds?: number,
  ): Promise<Record<string, unknown>>;
  readonly ended: Promise<CliResult>;
  stop(signal?: NodeJS.Signals): Promise<CliResult>;
}

/** Starts `fastness --home HOME --json ARGS` as a user would, with JSON output. */
export function startCli(home: string, args: readonly string[], input = ''): CliProcess {
  // A group of its own, so that a hard kill reaches the simulated TEE and the enclave as well.
  const child = spawn(process.execPath, [...nodeArguments, '--home', home, '--json', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input);
  const events: Record<string, unknown>[] = [];
  const listeners = new Set<() => void>();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const value = parseObject(line);
    if (value !== undefined) events.push(value);
    for (const listener of listeners) listener();
  });
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => {
      const problem = events.findLast((event) => event['event'] === 'error');
      resolve({ exitCode, events, stderr, code: typeof problem?.['code'] === 'string' ? problem['code'] : undefined });
    });
  });
  return {
    child,
    events,
    stderr: () => stderr,
    ended,
    async waitFor(predicate, milliseconds = 60_000) {
      let timer: NodeJS.Timeout | undefined;
      let check = (): void => {};
      try {
        return await new Promise((resolve, reject) => {
          check = () => {
            const found = events.find(predicate);
            if (found !== undefined) resolve(found);
          };
          listeners.add(check);
          check();
          timer = setTimeout(
            () => reject(new Error(`fastness ${args.join(' ')}: not seen in time.\n${stderr}`)),
            milliseconds,
          );
          void ended.then((result) =>
            reject(
              new Error(`fastness ${args.join(' ')} ended with ${result.exitCode} ${result.code ?? ''}\n${stderr}`),
            ),
          );
        });
      } finally {
        clearTimeout(timer);
        listeners.delete(check);
      }
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return ended;
    },
  };
}

export async function runCli(home: string, args: readonly string[], input = ''): Promise<CliResult> {
  return startCli(home, args, input).ended;
}

/** Runs a command that must succeed. */
export async function mustRun(home: string, args: readonly string[], input = ''): Promise<CliResult> {
  const result = await runCli(home, args, input);
  if (result.exitCode !== 0)
    throw new Error(`fastness ${args.join(' ')} ended with ${result.exitCode} ${result.code ?? ''}\n${result.stderr}`);
  return result;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
