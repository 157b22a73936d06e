import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { utf8Encode } from '@fastness/codec';
import { parseConfig, type EnclaveConfigInput } from '../../apps/enclave/src/config.ts';
import { parseMachineSettings, type MachineSettingsInput } from '../../apps/enclave/src/init/settings.ts';
import { bundleProgram } from './bundle.ts';
import type { ArchiveEntry } from './cpio.ts';
import type { Kernel } from './debian-kernel.ts';
import { absentPackages, packagesOf } from './engine-packages.ts';
import { modulesOf, type KernelModule, type Platform } from './kernel-modules.ts';

const root = join(import.meta.dirname, '../..');

export const enginePackages = Object.freeze({
  llama: ['node-llama-cpp', 'koffi'],
  onnx: ['onnxruntime-node', '@huggingface/tokenizers', 'koffi'],
});

export interface ContentOptions {
  readonly kernel: Kernel;
  readonly engine: keyof typeof enginePackages;
  /** Whose machines it is for. Default: QEMU's. */
  readonly platform?: Platform;
  readonly settings: Omit<MachineSettingsInput, 'modules'>;
  readonly config: EnclaveConfigInput;
}

/** The files of an image. */
export interface Contents {
  /** Node, the C library, the kernel's modules. */
  readonly system: readonly ArchiveEntry[];
  /** The enclave, its engine, their configuration. */
  readonly application: readonly ArchiveEntry[];
  /** Of npm, without what the bundle was made of. */
  readonly packages: readonly string[];
  /** Of the kernel, in the order in which they are loaded. */
  readonly modules: readonly string[];
}

/** Throws what parseConfig and parseMachineSettings throw, and an Error that names an input which is missing. */
export async function imageContents(options: ContentOptions): Promise<Contents> {
  const modules = modulesOf(options.kernel.modules, options.platform);
  const settings = parseMachineSettings({
    ...options.settings,
    modules: modules.map(({ name }) => `/lib/modules/${name}.ko`),
  });
  // Only to see that the enclave will take it; what is written is what was asked for.
  parseConfig(options.config);
  const { files, packages } = packagesOf(root, enginePackages[options.engine]);
  const system = systemEntries(modules);
  const application: readonly ArchiveEntry[] = [
    ...(await bundleProgram(root)).map(({ name, text }) => fileOf(`app/${name}`, utf8Encode(text))),
    fileOf('app/package.json', utf8Encode('{"type":"module"}\n')),
    ...files.map(({ path, source }) => fileOf(`app/node_modules/${path}`, readFileSync(source))),
    ...Object.entries(absentPackages).flatMap(([name, exports]) => absent(name, exports)),
    fileOf('etc/fastness/machine.json', utf8Encode(`${JSON.stringify(settings, undefined, 2)}\n`)),
    fileOf('etc/fastness/enclave.json', utf8Encode(`${JSON.stringify(options.config, undefined, 2)}\n`)),
  ];
  return { system, application, packages, modules: modules.map(({ name }) => name) };
}

/** Node, what starts it, the C library and modules. */
export function systemEntries(modules: readonly KernelModule[]): readonly ArchiveEntry[] {
  const node = process.execPath;
  return [
    // The kernel starts what this names: Node, with the bundle. No options: they could load code.
    fileOf('init', utf8Encode('#!/bin/node /app/init.js\n'), true),
    fileOf('bin/node', readFileSync(node), true),
    ...librariesOf(node).map((path) => fileOf(path.slice(1), readFileSync(realpathSync(path)), true)),
    ...modules.map(({ name, bytes }) => fileOf(`lib/modules/${name}.ko`, bytes)),
    // The engine asks for a home folder; nobody can log in.
    fileOf('etc/passwd', utf8Encode('root:x:0:0::/:/\n')),
    // Empty: where names are resolved, a file in memory is laid over it.
    fileOf('etc/resolv.conf', new Uint8Array(0)),
    ...['dev', 'proc', 'sys', 'tmp', 'model'].map((path) => ({ kind: 'folder', path }) as const),
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
  ];
}

export function fileOf(path: string, bytes: Uint8Array, executable = false): ArchiveEntry {
  return { kind: 'file', path, bytes, executable };
}

/** A package that only says that it is not there. */
function absent(name: string, exports: readonly string[]): ArchiveEntry[] {
  const lines = exports.map((each) =>
    each === 'default' ? 'export default absent;' : `export { absent as ${each} };`,
  );
  const text = `const absent = () => { throw new Error('${name} is not part of this image'); };\n${lines.join('\n')}\n`;
  const manifest = JSON.stringify({ name, version: '0.0.0', type: 'module', exports: './index.js' });
  return [
    fileOf(`app/node_modules/${name}/package.json`, utf8Encode(`${manifest}\n`)),
    fileOf(`app/node_modules/${name}/index.js`, utf8Encode(text)),
  ];
}

/** The shared libraries of Node and of the engines, of this machine: glibc, and the C++ library. */
function librariesOf(node: string): readonly string[] {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  if (header.glibcVersionRuntime === undefined) throw new Error(`${node} does not run on glibc.`);
  const [folder, loader] =
    process.arch === 'arm64'
      ? ['/lib/aarch64-linux-gnu', '/lib/ld-linux-aarch64.so.1']
      : ['/lib/x86_64-linux-gnu', '/lib64/ld-linux-x86-64.so.2'];
  const names = [
    'libc.so.6',
    'libm.so.6',
    'libdl.so.2',
    'libpthread.so.0',
    'librt.so.1',
    'libgcc_s.so.1',
    'libstdc++.so.6',
  ];
  return [loader, ...names.map((name) => `${folder}/${name}`)];
}

/** Every folder that a path needs, once. */
export function withFolders(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  const folders = new Set(entries.flatMap((entry) => (entry.kind === 'folder' ? [entry.path] : [])));
  for (const { path } of entries) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [
    ...entries.filter(({ kind }) => kind !== 'folder'),
    ...[...folders].map((path) => ({ kind: 'folder', path }) as const),
  ];
}
