// Boots an emulated machine with three network cards and gets addresses there by DHCP, as an image does in a cloud: from QEMU's own
// network, from a server that lies before it answers, and none where nobody answers.
// Run: npm run test:network   (Debian: qemu-system-x86, 7.2 or later; takes half a minute on a quiet machine)
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGES } from './build.ts';
import { fetchDebianKernel } from './debian-kernel.ts';
import { guestArchive, runGuest } from './guest-run.ts';
import { modulesOf } from './kernel-modules.ts';
import { startPeer } from './network-peer.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-network-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const outside = createServer((_request, response) => response.end('outside'));
outside.listen(0, '127.0.0.1');
await once(outside, 'listening');
const address = outside.address();
if (address === null || typeof address === 'string') throw new Error('No port.');
const peer = join(folder, 'peer');
await startPeer(peer);
const kernel = fetchDebianKernel(PACKAGES);
const modules = modulesOf(kernel.modules, 'qemu', ['virtio_pci', 'virtio_net']);
const initrd = join(folder, 'initrd');
writeFileSync(initrd, await guestArchive('network-guest.ts', modules, { port: address.port }));
const { failures } = await runGuest(
  'qemu-system-x86_64',
  // prettier-ignore
  [
    '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-reboot', '-nodefaults',
    '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci',
    '-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile=',
    '-netdev', `stream,id=peer,server=off,addr.type=unix,addr.path=${peer}`,
    '-device', 'virtio-net-pci,netdev=peer,romfile=',
    '-netdev', 'hubport,id=deaf,hubid=1', '-device', 'virtio-net-pci,netdev=deaf,romfile=',
    '-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 loglevel=3',
  ],
);
process.exit(failures === 0 ? 0 : 1);
