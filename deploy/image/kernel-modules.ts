import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { utf8Encode } from '@fastness/codec';

/** Drivers that a guest needs: its network card, its disk, its source of random numbers, evidence of its TEE. */
const wanted = Object.freeze([
  'virtio_pci',
  'virtio_net',
  'virtio_blk',
  'virtio_rng',
  'configfs',
  'tsm',
  'sev-guest',
  'tdx-guest',
  'nsm',
  'vmw_vsock_virtio_transport',
]);

/** What the machines of a cloud need on top: network cards and disks. QEMU's, and NVMe disks, need nothing. */
const wantedOn = Object.freeze({
  qemu: [],
  azure: ['hv_vmbus', 'hv_netvsc', 'hv_storvsc', 'sd_mod', 'pci-hyperv', 'mana'],
  aws: ['ena'],
  gcp: ['gve', 'virtio_scsi', 'sd_mod'],
} as const satisfies Record<string, readonly string[]>);

/** Whose machines an image is for. */
export type Platform = keyof typeof wantedOn;
export const platforms: readonly string[] = Object.keys(wantedOn);

export function isPlatform(name: string): name is Platform {
  return Object.hasOwn(wantedOn, name);
}

/** A module of a kernel. */
export interface KernelModule {
  readonly name: string;
  /** Its file as the kernel loads it, unpacked. */
  readonly bytes: Uint8Array;
}

const MAX_MODULE = 1 << 26;

/**
 * The wanted modules that this kernel has as files, each after those it needs. What a kernel has built in, or has not at all,
 * is left out: a guest without its driver says so when it starts.
 */
export function modulesOf(
  folder: string,
  platform: Platform = 'qemu',
  names: readonly string[] = [...wanted, ...wantedOn[platform]],
): readonly KernelModule[] {
  const available = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.ko(?:\.xz)?$/.test(path))
      .map((path) => [nameOf(path), join(folder, path)]),
  );
  const ordered = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const path = available.get(name);
    if (path === undefined || ordered.has(name)) return;
    const bytes = readModule(path);
    for (const needed of neededBy(bytes)) visit(needed);
    ordered.set(name, { name, bytes });
  };
  for (const name of names) visit(canonical(name));
  return [...ordered.values()];
}

/** Debian packs modules with xz from Linux 6.9 on; the image holds them as the kernel checks their signature. */
function readModule(path: string): Uint8Array {
  return path.endsWith('.xz') ? execFileSync('xz', ['-dc', path], { maxBuffer: MAX_MODULE }) : readFileSync(path);
}

/** `depends=` of the module's .modinfo section, a list of texts that end in zero bytes. */
function neededBy(module: Uint8Array): string[] {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.length);
  const at = bytes.indexOf(utf8Encode('\0depends='));
  if (at < 0) return [];
  const text = bytes.toString('latin1', at + '\0depends='.length, bytes.indexOf(0, at + 1));
  return text
    .split(',')
    .filter((name) => name !== '')
    .map(canonical);
}

function nameOf(path: string): string {
  return canonical(basename(path).replace(/\.ko(?:\.xz)?$/, ''));
}

/** Files and lists disagree on hyphens and underscores. */
function canonical(name: string): string {
  return name.replaceAll('-', '_');
}
