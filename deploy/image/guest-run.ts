import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { utf8Encode } from '@fastness/codec';
import { fileOf, systemEntries, withFolders } from './contents.ts';
import { writeCpio } from './cpio.ts';
import { packagesOf } from './engine-packages.ts';
import { guestProgram } from './guest-program.ts';
import type { KernelModule } from './kernel-modules.ts';

const root = join(import.meta.dirname, '../..');
const PATIENCE_MS = 600_000;

/**
 * The archive of a guest: the system of an image, and a program of this folder in place of the enclave.
 * @param settings whatever the program reads from /test.json, beside the modules that it has to load
 */
export async function guestArchive(
  program: string,
  modules: readonly KernelModule[],
  settings: Readonly<Record<string, unknown>> = {},
): Promise<Uint8Array> {
  const loaded = modules.map(({ name }) => `/lib/modules/${name}.ko`);
  const archive = writeCpio(
    withFolders([
      ...systemEntries(modules),
      fileOf('app/init.js', utf8Encode(await guestProgram(program))),
      fileOf('app/package.json', utf8Encode('{"type":"module"}\n')),
      fileOf('test.json', utf8Encode(JSON.stringify({ modules: loaded, ...settings }))),
      ...packagesOf(root, ['koffi']).files.map(({ path, source }) =>
        fileOf(`app/node_modules/${path}`, readFileSync(source)),
      ),
    ]),
  );
  return gzipSync(archive, { level: 1 });
}

/** What a machine said until it was off. */
export interface GuestResult {
  /** Checks that failed; not to come to its end is one. */
  readonly failures: number;
  /** What it told, by name. */
  readonly told: ReadonlyMap<string, string>;
}

/** Runs a machine whose program prints a check a line (guest-say.ts) until it is off, and repeats its checks. */
export async function runGuest(emulator: string, args: readonly string[]): Promise<GuestResult> {
  const started = performance.now();
  const machine = spawn(emulator, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): void => void machine.kill('SIGKILL');
  const late = setTimeout(kill, PATIENCE_MS);
  process.once('exit', kill);
  const told = new Map<string, string>();
  const lines: string[] = [];
  let done = false;
  let failures = 0;
  createInterface({ input: machine.stdout }).on('line', (line) => {
    lines.push(line);
    const said = entryOf(line);
    if (said === undefined) return;
    if ('name' in said) {
      told.set(said.name, said.value);
      return;
    }
    if (said.check === 'done') done = true;
    if (!reportCheck(said, started)) failures += 1;
  });
  await once(machine, 'close');
  clearTimeout(late);
  process.off('exit', kill);
  if (done) return { failures, told };
  process.stdout.write(`The guest did not come to its end. Its console ends with:\n${lines.slice(-25).join('\n')}\n`);
  return { failures: failures + 1, told };
}

export interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail?: string | undefined;
}

/** @param started of performance.now() @returns whether it holds */
export function reportCheck({ check, ok, detail = '' }: Check, started: number): boolean {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${ok ? 'ok     ' : 'FAILED '} ${check}${detail === '' ? '' : `: ${detail}`}\n`);
  return ok;
}

/** The kernel and the firmware write other lines. */
function entryOf(line: string): Check | { readonly name: string; readonly value: string } | undefined {
  const start = line.search(/\{"(?:check|name)":/);
  if (start < 0) return undefined;
  return JSON.parse(line.slice(start)) as Check | { readonly name: string; readonly value: string };
}
