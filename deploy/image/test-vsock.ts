// Boots an emulated machine whose kernel has virtual sockets that lead back to it, and runs both sides of an enclave there: the
// heartbeat, the model, clients to the enclave, the enclave to its broker. Not an enclave of AWS Nitro: its devices are not here.
// Run: npm run test:vsock   (Debian: qemu-system-x86; takes half a minute on a quiet machine)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { utf8Encode } from '@fastness/codec';
import { PACKAGES } from './build.ts';
import { fileOf, systemEntries, withFolders } from './contents.ts';
import { writeCpio } from './cpio.ts';
import { fetchDebianKernel } from './debian-kernel.ts';
import { packagesOf } from './engine-packages.ts';
import { guestProgram } from './guest-program.ts';
import { modulesOf } from './kernel-modules.ts';

const root = join(import.meta.dirname, '../..');
const PATIENCE_MS = 600_000;
const folder = mkdtempSync(join(tmpdir(), 'fastness-vsock-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const kernel = fetchDebianKernel(PACKAGES);
const modules = modulesOf(kernel.modules, 'qemu', ['vsock_loopback']);
const archive = writeCpio(
  withFolders([
    ...systemEntries(modules),
    fileOf('app/init.js', utf8Encode(await guestProgram('vsock-guest.ts'))),
    fileOf('app/package.json', utf8Encode('{"type":"module"}\n')),
    fileOf('modules.json', utf8Encode(JSON.stringify(modules.map(({ name }) => `/lib/modules/${name}.ko`)))),
    ...packagesOf(root, ['koffi']).files.map(({ path, source }) =>
      fileOf(`app/node_modules/${path}`, readFileSync(source)),
    ),
  ]),
);
const initrd = join(folder, 'initrd');
writeFileSync(initrd, gzipSync(archive, { level: 1 }));
const started = performance.now();
const machine = spawn(
  'qemu-system-x86_64',
  // prettier-ignore
  [
    '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-reboot', '-nodefaults',
    '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci',
    '-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 loglevel=3',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const late = setTimeout(() => machine.kill('SIGKILL'), PATIENCE_MS);
process.on('exit', () => machine.kill('SIGKILL'));
process.on('SIGINT', () => process.exit(130));
let done = false;
let failures = 0;
const lines: string[] = [];
createInterface({ input: machine.stdout }).on('line', (line) => {
  lines.push(line);
  const start = line.indexOf('{"check"');
  if (start < 0) return;
  const { check, ok, detail } = JSON.parse(line.slice(start)) as { check: string; ok: boolean; detail: string };
  if (!ok) failures += 1;
  if (check === 'done') done = ok;
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${ok ? 'ok     ' : 'FAILED '} ${check}${detail === '' ? '' : `: ${detail}`}\n`);
});
await once(machine, 'close');
clearTimeout(late);
if (!done)
  process.stdout.write(`The guest did not come to its end. Its console ends with:\n${lines.slice(-25).join('\n')}\n`);
process.exit(done && failures === 0 ? 0 : 1);
