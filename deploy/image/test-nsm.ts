// Boots an emulated machine with QEMU's security module of AWS Nitro, drives it through the kernel's own driver with the enclave's
// collector, and verifies its documents. QEMU signs nothing: no document of it may be accepted, and none of it says anything
// about AWS's hypervisor. What is tested is ioctl(2), the driver, and both ends' CBOR.
// Run: FASTNESS_NSM_QEMU=FILE npm run test:nsm [-- --kernel-package NAME]   (docs/image.md says how to build such a QEMU)
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorRegistry, provideErrors } from '@fastness/codec/errors';
import { toHex } from '@fastness/codec';
import { PACKAGES } from './build.ts';
import { fetchDebianKernel } from './debian-kernel.ts';
import { guestArchive, reportCheck, runGuest } from './guest-run.ts';
import { modulesOf } from './kernel-modules.ts';
import { verifyDocuments } from './nsm-verify.ts';

provideErrors(errorRegistry);
const { values } = parseArgs({
  options: { 'kernel-package': { type: 'string', default: 'linux-image-6.12-cloud-amd64' } },
});
const emulator = process.env['FASTNESS_NSM_QEMU'] ?? 'qemu-system-x86_64';
if (!execFileSync(emulator, ['-device', 'help'], { encoding: 'utf8' }).includes('"virtio-nsm-pci"')) {
  process.stderr.write(
    `${emulator} has no virtio-nsm-pci. It takes QEMU 9.2 or later that was built with libcbor, which Debian's is not:\n` +
      'build one (docs/image.md) and name it in FASTNESS_NSM_QEMU.\n',
  );
  process.exit(69);
}
const folder = mkdtempSync(join(tmpdir(), 'fastness-nsm-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const kernel = fetchDebianKernel(PACKAGES, values['kernel-package']);
const nonce = new Uint8Array(randomBytes(32));
const modules = modulesOf(kernel.modules, 'qemu', ['virtio_pci', 'nsm']);
const initrd = join(folder, 'initrd');
writeFileSync(initrd, await guestArchive('nsm-guest.ts', modules, { nonce: toHex(nonce) }));
const started = performance.now();
const { failures, told } = await runGuest(
  emulator,
  // Firmware is Debian's, wherever this QEMU was built.
  // prettier-ignore
  [
    '-L', '/usr/share/seabios', '-L', '/usr/share/qemu',
    '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-reboot', '-nodefaults',
    '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci', '-device', 'virtio-nsm-pci',
    '-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 loglevel=3',
  ],
);
// A guest that failed may have told no documents.
const checks = failures === 0 ? await verifyDocuments(told, nonce) : [];
const refused = checks.filter((check) => !reportCheck(check, started)).length;
process.stdout.write(failures + refused === 0 ? 'all as it must be\n' : `${failures + refused} failed\n`);
process.exit(failures + refused === 0 ? 0 : 1);
