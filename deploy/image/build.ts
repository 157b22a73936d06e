// A measured guest image: one program for the firmware (kernel, command line, and an archive with Node, the enclave and its
// engine), and a disk that boots it. No shell, no other program, nothing that is written to. The same inputs give the same
// bytes; image.json names them all.
// Run: npm run image -- --out DIR --broker URL [--address A/N --gateway G] [--engine llama|onnx]
//      [--kernel FILE --modules DIR] [--stub FILE]
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { utf8Encode } from '@fastness/codec';
import { parseConfig, type EnclaveConfigInput } from '../../apps/enclave/src/config.ts';
import { parseMachineSettings, type MachineSettings } from '../../apps/enclave/src/init/settings.ts';
import { bootDisk } from './boot-disk.ts';
import { bundleProgram } from './bundle.ts';
import { writeCpio, type ArchiveEntry } from './cpio.ts';
import { fetchDebianKernel, fetchDebianStub, type Kernel } from './debian-kernel.ts';
import { absentPackages, packagesOf } from './engine-packages.ts';
import { modulesOf } from './kernel-modules.ts';
import { buildUki, type UkiSection } from './uki.ts';

const root = join(import.meta.dirname, '../..');
/** Packages of Debian are kept here; nothing of them is installed. */
export const PACKAGES = join(root, 'node_modules/.cache/fastness-image');

/**
 * What the kernel is told. `tsc` because no other clock is out of the host's hands on a TEE; no panic goes on running; the
 * console only shows the log.
 */
export const COMMAND_LINE =
  'console=ttyS0 panic=-1 loglevel=4 clocksource=tsc tsc=reliable no_timer_check lockdown=confidentiality';

const enginePackages = Object.freeze({
  llama: ['node-llama-cpp', 'koffi'],
  onnx: ['onnxruntime-node', '@huggingface/tokenizers', 'koffi'],
});

export interface ImageOptions {
  readonly kernel: Kernel;
  /** systemd-stub. */
  readonly stub: Uint8Array;
  /** Default: {@link COMMAND_LINE}. */
  readonly commandLine?: string;
  readonly engine: keyof typeof enginePackages;
  readonly settings: Omit<MachineSettings, 'modules'>;
  readonly config: EnclaveConfigInput;
}

export interface Image {
  /** The program for the firmware. */
  readonly uki: Uint8Array;
  /** What was put into the stub. */
  readonly sections: readonly UkiSection[];
  readonly facts: ImageFacts;
}

interface FileFacts {
  readonly bytes: number;
  readonly sha256: string;
}

/** image.json. */
export interface ImageFacts {
  readonly format: 'fastness/image/v1';
  readonly commandLine: string;
  readonly uki: FileFacts;
  readonly stub: FileFacts;
  readonly kernel: FileFacts & { readonly release: string };
  readonly initramfs: FileFacts & { readonly unpackedBytes: number; readonly files: number };
  readonly node: string;
  /** Of npm, without what the bundle was made of. */
  readonly packages: readonly string[];
  /** SHA-256 of every file of the archive, by path. */
  readonly contents: Readonly<Record<string, string>>;
}

/** Throws what parseConfig and parseMachineSettings throw, and an Error that names an input which is missing. */
export async function buildImage(options: ImageOptions): Promise<Image> {
  const { kernel, engine } = options;
  const modules = modulesOf(kernel.modules);
  const settings = parseMachineSettings({
    ...options.settings,
    modules: modules.map(({ name }) => `/lib/modules/${name}.ko`),
  });
  // Only to see that the enclave will take it; what is written is what was asked for.
  parseConfig(options.config);
  const { files, packages } = packagesOf(root, enginePackages[engine]);
  const node = process.execPath;
  const entries: ArchiveEntry[] = [
    ...(await bundleProgram(root)).map(({ name, text }) => fileOf(`app/${name}`, utf8Encode(text))),
    fileOf('app/package.json', utf8Encode('{"type":"module"}\n')),
    ...files.map(({ path, source }) => fileOf(`app/node_modules/${path}`, readFileSync(source))),
    ...Object.entries(absentPackages).flatMap(([name, exports]) => absent(name, exports)),
    // The kernel starts what this names: Node, with the bundle. No options: they could load code.
    fileOf('init', utf8Encode('#!/bin/node /app/init.js\n'), true),
    fileOf('bin/node', readFileSync(node), true),
    ...librariesOf(node).map((path) => fileOf(path.slice(1), readFileSync(realpathSync(path)), true)),
    ...modules.map(({ name, source }) => fileOf(`lib/modules/${name}.ko`, readFileSync(source))),
    // The engine asks for a home folder; nobody can log in.
    fileOf('etc/passwd', utf8Encode('root:x:0:0::/:/\n')),
    fileOf('etc/fastness/machine.json', utf8Encode(`${JSON.stringify(settings, undefined, 2)}\n`)),
    fileOf('etc/fastness/enclave.json', utf8Encode(`${JSON.stringify(options.config, undefined, 2)}\n`)),
    ...['dev', 'proc', 'sys', 'tmp', 'model'].map((path) => ({ kind: 'folder', path }) as const),
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
  ];
  const archive = writeCpio(withFolders(entries));
  const initramfs = zstdCompressSync(archive, {
    params: { [constants.ZSTD_c_compressionLevel]: 9, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const linux = readFileSync(kernel.image);
  const commandLine = options.commandLine ?? COMMAND_LINE;
  const sections: readonly UkiSection[] = [
    { name: '.osrel', bytes: utf8Encode('ID=fastness\nNAME=Fastness\n') },
    { name: '.cmdline', bytes: utf8Encode(commandLine) },
    { name: '.initrd', bytes: initramfs },
    { name: '.linux', bytes: linux },
  ];
  const uki = buildUki(options.stub, sections);
  const contents = entries.flatMap((entry) =>
    entry.kind === 'file' ? [[entry.path, sha256(entry.bytes)] as const] : [],
  );
  return {
    uki,
    sections,
    facts: {
      format: 'fastness/image/v1',
      commandLine,
      uki: factsOf(uki),
      stub: factsOf(options.stub),
      kernel: { release: kernel.release, ...factsOf(linux) },
      initramfs: { ...factsOf(initramfs), unpackedBytes: archive.length, files: contents.length },
      node: process.version,
      packages,
      contents: Object.fromEntries(contents.toSorted(([left], [right]) => (left < right ? -1 : 1))),
    },
  };
}

function fileOf(path: string, bytes: Uint8Array, executable = false): ArchiveEntry {
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
function withFolders(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  const folders = new Set(entries.flatMap((entry) => (entry.kind === 'folder' ? [entry.path] : [])));
  for (const { path } of entries) {
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [
    ...entries.filter(({ kind }) => kind !== 'folder'),
    ...[...folders].map((path) => ({ kind: 'folder', path }) as const),
  ];
}

function factsOf(bytes: Uint8Array): FileFacts {
  return { bytes: bytes.length, sha256: sha256(bytes) };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Writes the files of an image into a folder: the program, a disk with it, and what they were made of. */
export function writeImage(folder: string, { uki, facts }: Pick<Image, 'uki' | 'facts'>): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fastness.efi'), uki);
  writeFileSync(join(folder, 'boot.img'), bootDisk(uki));
  writeFileSync(join(folder, 'image.json'), `${JSON.stringify(facts, undefined, 2)}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      broker: { type: 'string' },
      port: { type: 'string', default: '7802' },
      address: { type: 'string' },
      gateway: { type: 'string' },
      interface: { type: 'string', default: 'eth0' },
      disk: { type: 'string', default: '/dev/vda' },
      'model-mib': { type: 'string', default: '1024' },
      engine: { type: 'string', default: 'llama' },
      kernel: { type: 'string' },
      modules: { type: 'string' },
      stub: { type: 'string' },
    },
  });
  const { out, broker, address, gateway, engine } = values;
  if (out === undefined || broker === undefined || (engine !== 'llama' && engine !== 'onnx')) {
    process.stderr.write(
      'Usage: npm run image -- --out DIR --broker URL [--address 10.0.2.15/24] [--gateway 10.0.2.2]\n',
    );
    process.exit(64);
  }
  const [ip, prefix = '24'] = (address ?? '').split('/');
  const kernel =
    values.kernel === undefined
      ? fetchDebianKernel(PACKAGES)
      : { release: 'custom', image: values.kernel, modules: values.modules ?? dirname(values.kernel) };
  const image = await buildImage({
    kernel,
    stub: readFileSync(values.stub ?? fetchDebianStub(PACKAGES)),
    engine,
    settings: {
      modelDisk: values.disk,
      modelMiB: Number(values['model-mib']),
      ...(ip === undefined || ip === ''
        ? {}
        : {
            network: {
              interface: values.interface,
              address: ip,
              prefix: Number(prefix),
              ...(gateway === undefined ? {} : { gateway }),
            },
          }),
    },
    config: {
      listen: { host: '0.0.0.0', port: Number(values.port) },
      brokerUrl: broker,
      modelDir: '/model',
      evidence: 'auto',
    },
  });
  writeImage(out, image);
  const { facts } = image;
  process.stdout.write(
    `${out}: ${facts.uki.bytes} bytes: kernel ${facts.kernel.release} ${facts.kernel.bytes}, archive ${facts.initramfs.bytes} ` +
      `(${facts.initramfs.unpackedBytes} unpacked, ${facts.initramfs.files} files, ${facts.packages.length} packages of npm)\n` +
      `SHA-256 of fastness.efi: ${facts.uki.sha256}\n`,
  );
}

if (import.meta.main) await main();
