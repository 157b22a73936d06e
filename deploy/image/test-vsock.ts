// Boots an emulated machine whose kernel has virtual sockets that lead back to it, and runs both sides of an enclave there: the
// heartbeat, the model, clients to the enclave, the enclave to its broker. Not an enclave of AWS Nitro: its devices are not here.
// Run: npm run test:vsock   (Debian: qemu-system-x86; takes half a minute on a quiet machine)
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGES } from './build.ts';
import { fetchDebianKernel } from './debian-kernel.ts';
import { guestArchive, runGuest } from './guest-run.ts';
import { modulesOf } from './kernel-modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-vsock-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const kernel = fetchDebianKernel(PACKAGES);
const modules = modulesOf(kernel.modules, 'qemu', ['vsock_loopback']);
const initrd = join(folder, 'initrd');
writeFileSync(initrd, await guestArchive('vsock-guest.ts', modules));
const { failures } = await runGuest(
  'qemu-system-x86_64',
  // prettier-ignore
  [
    '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-reboot', '-nodefaults',
    '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci',
    '-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 loglevel=3',
  ],
);
process.exit(failures === 0 ? 0 : 1);
