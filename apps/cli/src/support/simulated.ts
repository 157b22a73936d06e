import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { Home } from './home.ts';
import { enclaveImage, repositoryRoot } from './image.ts';

/**
 * The simulated TEE is a program of the test kit, not a library of this one: production code has no dependency on it.
 * It stands in for the machine's security processor, so it runs as a process of its own and starts the enclave.
 */
const program = join(repositoryRoot, 'packages/testkit/src/simulated-tee/main.ts');

const trustSchema = z.object({
  measurement: z.string().regex(/^[0-9a-f]{96}$/),
  arkSpkiSha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type SimulatedTrust = z.infer<typeof trustSchema>;

export const simulatedBanner = 'SIMULATED TEE: no hardware protects anything here. For trying out and testing only.';

/** Node and arguments that run the simulated TEE over the enclave's image; `command` is started inside it. */
export function simulatedTeeCommand(
  home: Home,
  options: { socket?: string; print?: boolean; command?: readonly string[] },
): { file: string; args: string[] } {
  if (!existsSync(program)) {
    throw new FastnessError(
      'CLI_USAGE',
      'The simulated TEE is part of the source checkout and is not installed here; use --tee auto on real hardware.',
    );
  }
  const image = enclaveImage();
  return {
    file: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      '--conditions=source',
      program,
      '--state',
      home.simulatedTeeDirectory,
      '--root',
      repositoryRoot,
      ...image.include.flatMap((path) => ['--image', path]),
      ...image.exclude.flatMap((path) => ['--exclude', path]),
      ...(options.socket === undefined ? [] : ['--socket', options.socket]),
      ...(options.print === true ? ['--print-measurement'] : []),
      ...(options.command === undefined ? [] : ['--', ...options.command]),
    ],
  };
}

/** The measurement of the enclave's image as it is on disk now, and the key that the simulated TEE's evidence roots in. */
export async function simulatedTrust(home: Home): Promise<SimulatedTrust> {
  const { file, args } = simulatedTeeCommand(home, { print: true });
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new FastnessError('CLI_CHILD_FAILED', `simulated-tee: ${err.trim().slice(-400)}`);
  return trustSchema.parse(JSON.parse(out));
}
