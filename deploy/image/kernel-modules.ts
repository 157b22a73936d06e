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

/** A module and where it lies. */
export interface KernelModule {
  readonly name: string;
  readonly source: string;
}

/**
 * The wanted modules that this kernel has as files, each after those it needs. What a kernel has built in, or has not at all,
 * is left out: a guest without its driver says so when it starts.
 */
export function modulesOf(folder: string): readonly KernelModule[] {
  const available = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ko'))
      .map((path) => [nameOf(path), join(folder, path)]),
  );
  const ordered = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const source = available.get(name);
    if (source === undefined || ordered.has(name)) return;
    for (const needed of neededBy(source)) visit(needed);
    ordered.set(name, { name, source });
  };
  for (const name of wanted) visit(canonical(name));
  return [...ordered.values()];
}

/** `depends=` of the module's .modinfo section, a list of texts that end in zero bytes. */
function neededBy(path: string): string[] {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(utf8Encode('\0depends='));
  if (at < 0) return [];
  const text = bytes.toString('latin1', at + '\0depends='.length, bytes.indexOf(0, at + 1));
  return text
    .split(',')
    .filter((name) => name !== '')
    .map(canonical);
}

function nameOf(path: string): string {
  return canonical(basename(path, '.ko'));
}

/** Files and lists disagree on hyphens and underscores. */
function canonical(name: string): string {
  return name.replaceAll('-', '_');
}
