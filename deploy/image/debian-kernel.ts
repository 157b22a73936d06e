import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A kernel on this machine. */
export interface Kernel {
  readonly release: string;
  readonly image: string;
  /** The folder with its modules. */
  readonly modules: string;
}

/** Debian's kernel for virtual machines, of the release of this machine. */
export const DEBIAN_KERNEL = 'linux-image-cloud-amd64';

/**
 * A kernel of Debian's, by the name of the package that always depends on the newest one, fetched with apt (which checks
 * Debian's signature) into `folder` and unpacked there; nothing is installed.
 */
export function fetchDebianKernel(folder: string, metaPackage = DEBIAN_KERNEL): Kernel {
  if (!/^linux-image-[a-z0-9.+-]+$/.test(metaPackage)) throw new Error(`${metaPackage} is no package with a kernel.`);
  const meta = execFileSync('apt-cache', ['depends', metaPackage], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\S+)/.exec(meta)?.[1];
  if (name === undefined) throw new Error(`apt knows no ${metaPackage}: run apt-get update, or give --kernel.`);
  const root = fetchPackage(folder, name);
  const release = name.slice('linux-image-'.length);
  return { release, image: join(root, 'boot', `vmlinuz-${release}`), modules: join(root, 'lib/modules', release) };
}

/** systemd-stub of Debian's systemd-boot-efi, fetched in the same way. */
export function fetchDebianStub(folder: string): string {
  const name = process.arch === 'arm64' ? 'linuxaa64.efi.stub' : 'linuxx64.efi.stub';
  return join(fetchPackage(folder, 'systemd-boot-efi'), 'usr/lib/systemd/boot/efi', name);
}

/** The folder that a package is unpacked in. */
function fetchPackage(folder: string, name: string): string {
  const root = join(folder, name);
  mkdirSync(root, { recursive: true });
  if (readdirSync(root).some((entry) => !entry.endsWith('.deb'))) return root;
  // apt's own user may not write here, which it says and gets over.
  execFileSync('apt-get', ['-qq', 'download', name], { cwd: root, stdio: ['ignore', 'ignore', 'ignore'] });
  const packed = readdirSync(root).find((file) => file.endsWith('.deb'));
  if (packed === undefined) throw new Error(`apt downloaded no ${name}: run apt-get update.`);
  execFileSync('dpkg-deb', ['-x', join(root, packed), root]);
  return root;
}
