import '../errors.ts';
import { existsSync, mkdirSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';
import { readModelDisk } from '@fastness/model/disk';
import { createLog, errorFields } from '../log.ts';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT, openKernel, type Kernel } from './kernel.ts';
import { configureNetwork } from './network.ts';
import { openWays, receiveModel } from './parent.ts';
import { readMachineSettings } from './settings.ts';

// The first process of a measured image (deploy/image): prepares the machine, then becomes the enclave. There is no shell
// and no other program, so nobody can log in; when this ends, the machine turns off.

const CONFIG = '/etc/fastness/enclave.json';
const MODEL = '/model';
const log = createLog((line) => process.stderr.write(line));
const kernel = openKernel();

// Everything that was said on the console before this is out by then.
process.on('exit', () => {
  kernel.powerOff();
});

/** Where kernel and processes keep what they show; nothing on them can be run. */
function mountAll(modelMiB: number): void {
  const quiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  kernel.mount('proc', '/proc', quiet, '');
  kernel.mount('sysfs', '/sys', quiet, '');
  kernel.mount('devtmpfs', '/dev', MS_NOSUID, '');
  kernel.mount('securityfs', '/sys/kernel/security', quiet, '');
  kernel.mount('tmpfs', '/tmp', quiet, 'size=16m,mode=0700');
  kernel.mount('tmpfs', MODEL, quiet, `size=${modelMiB + 8}m,mode=0700`);
  mkdirSync('/dev/shm', { recursive: true });
  kernel.mount('tmpfs', '/dev/shm', quiet, 'size=16m,mode=0700');
}

/** Where reports of SEV-SNP, TDX and CCA are asked for; the folder is there once the kernel can show it. */
function mountConfigfs(): void {
  const folder = '/sys/kernel/config';
  if (existsSync(folder)) kernel.mount('configfs', folder, MS_NOSUID | MS_NODEV | MS_NOEXEC, '');
}

/** The image cannot be changed from here on; what it holds was measured. */
function freeze(opened: Kernel): void {
  opened.mount('none', '/', MS_REMOUNT | MS_RDONLY, '');
}

try {
  // The kernel hands words of its command line on as environment and arguments; they were measured, but nobody needs them.
  for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
  const settings = readMachineSettings();
  mountAll(settings.modelMiB);
  freeze(kernel);
  const loaded = settings.modules.filter((module) => kernel.loadModule(module));
  mountConfigfs();
  await configureNetwork(kernel, settings.network, log);
  const { vsock, modelDisk } = settings;
  if (vsock !== undefined) await openWays(vsock, log);
  const place = { directory: MODEL, maxBytes: settings.modelMiB * 2 ** 20 };
  const files =
    vsock?.model === undefined
      ? await readModelDisk({ device: modelDisk ?? '', ...place })
      : await receiveModel({ parent: vsock.parent, port: vsock.model, ...place });
  log('info', 'machine-ready', { modules: loaded.length, files: files.length });
} catch (error) {
  const known =
    error instanceof FastnessError ? error : new FastnessError('ENCLAVE_UNFORESEEN', undefined, { cause: error });
  log('error', 'machine-not-ready', { ...errorFields(known), next: known.next });
  process.exit(known.exitCode);
}
process.argv = [process.execPath, import.meta.filename, CONFIG];
await import('../main.ts');
