// What the programs of guests of tests have in common: they are the first process, print an object a line and turn off.
import { readFileSync } from 'node:fs';
import { errorRegistry, FastnessError, provideErrors } from '@fastness/codec/errors';
import { openKernel, type Kernel } from '../../apps/enclave/src/init/kernel.ts';

export function say(check: string, ok: boolean, detail = ''): void {
  process.stdout.write(`${JSON.stringify({ check, ok, detail })}\n`);
}

/** Something for whoever started the machine, by name. */
export function tell(name: string, value: string): void {
  process.stdout.write(`${JSON.stringify({ name, value })}\n`);
}

/** The error of the registry that this ends with. */
export async function refused(work: Promise<unknown>): Promise<FastnessError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FastnessError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

/** Reads /test.json. */
export function settingsOf(): { readonly modules: readonly string[] } & Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync('/test.json', 'utf8')) as { modules: string[] };
}

/** Runs the test with what the kernel shows mounted, and turns the machine off. */
export async function runTest(test: (kernel: Kernel) => Promise<void>): Promise<void> {
  provideErrors(errorRegistry);
  const kernel = openKernel();
  process.on('exit', () => kernel.powerOff());
  try {
    kernel.mount('proc', '/proc', 0, '');
    kernel.mount('sysfs', '/sys', 0, '');
    kernel.mount('devtmpfs', '/dev', 0, '');
    kernel.mount('tmpfs', '/tmp', 0, 'size=64m');
    await test(kernel);
    say('done', true);
  } catch (error) {
    say('done', false, error instanceof Error ? `${error.message} ${error.stack ?? ''}` : String(error));
  }
  process.exit();
}
