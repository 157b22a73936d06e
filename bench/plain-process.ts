import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('plain-server.ts', import.meta.url));

export interface PlainProcess {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts bench/plain-server.ts as a process of its own, with this process's Node arguments, and waits until it serves. */
export async function startPlain(
  modelFile: string,
  modelId: string,
  port = 0,
  sequences?: number,
): Promise<PlainProcess> {
  const more = sequences === undefined ? [] : [String(sequences)];
  const child = spawn(process.execPath, [...process.execArgv, program, modelFile, modelId, String(port), ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve((JSON.parse(line) as { url: string }).url));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`The plain server ended with ${code}.`)));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, stop };
}
