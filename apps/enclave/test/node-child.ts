import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A module of the sources as an import specifier for a script, `path` relative to this folder. */
export function nodeSource(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

export interface NodeChild {
  readonly pid: number;
  /** Resolves when the process printed that line. */
  line(text: string): Promise<void>;
  /** Everything it printed, once it ended. */
  output(): Promise<string>;
  signal(): Promise<NodeJS.Signals | null>;
  kill(): void;
}

/** Runs a script (ES module) in a Node process of its own, from the sources of the packages. */
export function startNode(
  script: string,
  options: { uid?: number; gid?: number; cwd?: string; execArgv?: string[]; shell?: string } = {},
): NodeChild {
  const node = ['--conditions=source', ...(options.execArgv ?? []), '--input-type=module-typescript', '--eval', script];
  const command: [string, string[]] =
    options.shell === undefined
      ? [process.execPath, node]
      : ['/bin/sh', ['-c', `${options.shell}; exec "$@"`, 'sh', process.execPath, ...node]];
  // Packages are found from the folder that the script counts as lying in.
  const child: ChildProcess = spawn(command[0], command[1], {
    cwd: options.cwd ?? fileURLToPath(new URL('.', import.meta.url)),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let errors = '';
  const seen = new Set<() => void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (const check of seen) check();
  });
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('close', (_code, signal) => resolve(signal)),
  );
  return {
    pid: child.pid ?? -1,
    line: (wanted) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!text.split('\n').includes(wanted)) return;
          seen.delete(check);
          resolve();
        };
        seen.add(check);
        void ended.then(() => reject(new Error(`ended without printing ${wanted}: ${errors}`)));
        check();
      }),
    output: () => ended.then(() => (text === '' && errors !== '' ? `stderr: ${errors}` : text.trim())),
    signal: () => ended,
    kill: () => child.kill('SIGKILL'),
  };
}
