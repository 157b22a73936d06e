// A measured guest image: kernel, command line, and an archive with Node, the enclave and its engine, as one program for the
// firmware with a disk that boots it, or as an enclave image for AWS Nitro. No shell, no other program, nothing that is written
// to. The same inputs give the same bytes; image.json names them all.
// Run: npm run image -- --out DIR --broker URL [--format uki|eif] [--address A/N --gateway G | --address dhcp|none] [--engine llama|onnx]
//      [--platform qemu|azure|aws|gcp] [--kernel-package NAME | --kernel FILE --modules DIR] [--stub FILE]
//      [--command-line TEXT] [--port P --model-port P]
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { utf8Encode } from '@fastness/codec';
import type { MachineSettingsInput } from '../../apps/enclave/src/init/settings.ts';
import { bootDisk } from './boot-disk.ts';
import { imageContents, withFolders, type ContentOptions, type Contents } from './contents.ts';
import { writeCpio, type ArchiveEntry } from './cpio.ts';
import { DEBIAN_KERNEL, fetchDebianKernel, fetchDebianStub } from './debian-kernel.ts';
import { buildEif } from './eif.ts';
import { isPlatform, platforms } from './kernel-modules.ts';
import { buildUki, type UkiSection } from './uki.ts';

/** Packages of Debian are kept here; nothing of them is installed. */
export const PACKAGES = join(import.meta.dirname, '../../node_modules/.cache/fastness-image');

/**
 * What the kernel is told. `tsc` because no other clock is out of the host's hands on a TEE; no panic goes on running; the
 * console only shows the log.
 */
export const COMMAND_LINE =
  'console=ttyS0 panic=-1 loglevel=4 clocksource=tsc tsc=reliable no_timer_check lockdown=confidentiality';

/**
 * In an enclave of AWS Nitro, where devices are not on a PCI bus. No lockdown: it refuses the driver of the security module,
 * which is not signed with the kernel's key.
 */
export const NITRO_COMMAND_LINE =
  'console=ttyS0 panic=-1 loglevel=4 reboot=k pci=off i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd random.trust_cpu=on clocksource=tsc tsc=reliable';

export interface EnclaveImageOptions extends ContentOptions {
  /** Default: {@link COMMAND_LINE}, or {@link NITRO_COMMAND_LINE}. */
  readonly commandLine?: string;
}

export interface ImageOptions extends EnclaveImageOptions {
  /** systemd-stub. */
  readonly stub: Uint8Array;
}

export interface Image {
  /** The program for the firmware. */
  readonly uki: Uint8Array;
  /** What was put into the stub. */
  readonly sections: readonly UkiSection[];
  readonly facts: ImageFacts & { readonly uki: FileFacts; readonly stub: FileFacts; readonly initramfs: ArchiveFacts };
}

export interface EnclaveImage {
  readonly eif: Uint8Array;
  readonly facts: ImageFacts & { readonly eif: FileFacts; readonly ramdisks: readonly ArchiveFacts[] };
}

interface FileFacts {
  readonly bytes: number;
  readonly sha256: string;
}

interface ArchiveFacts extends FileFacts {
  readonly unpackedBytes: number;
  readonly files: number;
}

/** image.json. */
export interface ImageFacts {
  readonly format: 'fastness/image/v1';
  readonly commandLine: string;
  readonly kernel: FileFacts & { readonly release: string };
  readonly node: string;
  /** Of npm, without what the bundle was made of. */
  readonly packages: readonly string[];
  /** Modules of the kernel, in the order in which they are loaded. */
  readonly modules: readonly string[];
  /** SHA-256 of every file of the archives, by path. */
  readonly contents: Readonly<Record<string, string>>;
}

/** A unified kernel image, for a machine with UEFI. Throws what {@link imageContents} throws. */
export async function buildImage(options: ImageOptions): Promise<Image> {
  const contents = await imageContents(options);
  const { packed, facts: initramfs } = pack([...contents.system, ...contents.application], (archive) =>
    zstdCompressSync(archive, {
      params: { [constants.ZSTD_c_compressionLevel]: 9, [constants.ZSTD_c_checksumFlag]: 1 },
    }),
  );
  const linux = readFileSync(options.kernel.image);
  const commandLine = options.commandLine ?? COMMAND_LINE;
  const sections: readonly UkiSection[] = [
    { name: '.osrel', bytes: utf8Encode('ID=fastness\nNAME=Fastness\n') },
    { name: '.cmdline', bytes: utf8Encode(commandLine) },
    { name: '.initrd', bytes: packed },
    { name: '.linux', bytes: linux },
  ];
  const uki = buildUki(options.stub, sections);
  return {
    uki,
    sections,
    facts: {
      ...imageFacts(options, contents, linux, commandLine),
      uki: factsOf(uki),
      stub: factsOf(options.stub),
      initramfs,
    },
  };
}

/**
 * An enclave image, for AWS Nitro. Its first archive holds the system and its second the application, so that registers 1 and
 * 2 tell them apart. gzip, because older kernels for enclaves unpack nothing newer. Throws what {@link imageContents} throws.
 */
export async function buildEnclaveImage(options: EnclaveImageOptions): Promise<EnclaveImage> {
  const contents = await imageContents(options);
  const archives = [contents.system, contents.application].map((entries) =>
    pack(entries, (archive) => gzipSync(archive, { level: 9 })),
  );
  const linux = readFileSync(options.kernel.image);
  const commandLine = options.commandLine ?? NITRO_COMMAND_LINE;
  const eif = buildEif({
    architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    kernel: linux,
    commandLine,
    ramdisks: archives.map(({ packed }) => packed),
    metadata: { name: 'fastness', version: '1', operatingSystem: 'Fastness', kernelVersion: options.kernel.release },
  });
  return {
    eif,
    facts: {
      ...imageFacts(options, contents, linux, commandLine),
      eif: factsOf(eif),
      ramdisks: archives.map(({ facts }) => facts),
    },
  };
}

function pack(
  entries: readonly ArchiveEntry[],
  compress: (archive: Uint8Array) => Uint8Array,
): { readonly packed: Uint8Array; readonly facts: ArchiveFacts } {
  const archive = writeCpio(withFolders(entries));
  const packed = compress(archive);
  const files = entries.filter(({ kind }) => kind === 'file').length;
  return { packed, facts: { ...factsOf(packed), unpackedBytes: archive.length, files } };
}

function imageFacts(options: ContentOptions, contents: Contents, kernel: Uint8Array, commandLine: string): ImageFacts {
  const files = [...contents.system, ...contents.application].flatMap((entry) =>
    entry.kind === 'file' ? [[entry.path, sha256(entry.bytes)] as const] : [],
  );
  return {
    format: 'fastness/image/v1',
    commandLine,
    kernel: { release: options.kernel.release, ...factsOf(kernel) },
    node: process.version,
    packages: contents.packages,
    modules: contents.modules,
    contents: Object.fromEntries(files.toSorted(([left], [right]) => (left < right ? -1 : 1))),
  };
}

function factsOf(bytes: Uint8Array): FileFacts {
  return { bytes: bytes.length, sha256: sha256(bytes) };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Names under which parts of the program are written as well, for machines whose host loads a kernel (`qemu -kernel`). */
const partNames = Object.freeze([
  ['.linux', 'vmlinuz'],
  ['.initrd', 'initrd.img'],
  ['.cmdline', 'cmdline'],
] as const);

/** Writes the files of an image into a folder: the program, a disk with it, its parts, and what they were made of. */
export function writeImage(folder: string, { uki, sections, facts }: Image): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fastness.efi'), uki);
  writeFileSync(join(folder, 'boot.img'), bootDisk(uki));
  for (const [section, file] of partNames) {
    const part = sections.find(({ name }) => name === section);
    if (part !== undefined) writeFileSync(join(folder, file), part.bytes);
  }
  writeFacts(folder, facts);
}

/** The same of an enclave image. */
export function writeEnclaveImage(folder: string, { eif, facts }: EnclaveImage): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'fastness.eif'), eif);
  writeFacts(folder, facts);
}

function writeFacts(folder: string, facts: ImageFacts): void {
  writeFileSync(join(folder, 'image.json'), `${JSON.stringify(facts, undefined, 2)}\n`);
}

const USAGE =
  'Usage: npm run image -- --out DIR --broker URL [--format uki|eif] [--address dhcp|none|10.0.2.15/24]\n' +
  '  [--gateway 10.0.2.2] [--nameserver 10.0.2.3] [--mtu 1460]\n' +
  `  [--platform ${platforms.join('|')}] [--kernel-package linux-image-6.12-cloud-amd64]\n`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      broker: { type: 'string' },
      format: { type: 'string', default: 'uki' },
      port: { type: 'string', default: '7802' },
      'model-port': { type: 'string', default: '7803' },
      address: { type: 'string', default: 'dhcp' },
      gateway: { type: 'string' },
      nameserver: { type: 'string', multiple: true },
      mtu: { type: 'string' },
      interface: { type: 'string', default: 'eth0' },
      disk: { type: 'string', default: '/dev/vda' },
      'model-mib': { type: 'string', default: '1024' },
      engine: { type: 'string', default: 'llama' },
      platform: { type: 'string', default: 'qemu' },
      'kernel-package': { type: 'string', default: DEBIAN_KERNEL },
      kernel: { type: 'string' },
      modules: { type: 'string' },
      stub: { type: 'string' },
      'command-line': { type: 'string' },
    },
  });
  const { out, broker, engine, format, platform } = values;
  const known = (engine === 'llama' || engine === 'onnx') && (format === 'uki' || format === 'eif');
  if (out === undefined || broker === undefined || !known || !isPlatform(platform)) {
    process.stderr.write(USAGE);
    process.exit(64);
  }
  const { port, 'command-line': commandLine } = values;
  // What has no network has virtual sockets.
  const machine = { modelMiB: Number(values['model-mib']) };
  const settings =
    format === 'eif'
      ? {
          ...machine,
          vsock: { enclave: Number(port), broker: brokerPort(broker), model: Number(values['model-port']) },
        }
      : {
          ...machine,
          modelDisk: values.disk,
          ...networkOf(values),
        };
  const options: EnclaveImageOptions = {
    kernel:
      values.kernel === undefined
        ? fetchDebianKernel(PACKAGES, values['kernel-package'])
        : { release: 'custom', image: values.kernel, modules: values.modules ?? dirname(values.kernel) },
    engine,
    platform,
    settings,
    config: {
      listen: { host: format === 'eif' ? '127.0.0.1' : '0.0.0.0', port: Number(port) },
      brokerUrl: broker,
      modelDir: '/model',
      evidence: 'auto',
    },
    ...(commandLine === undefined ? {} : { commandLine }),
  };
  if (format === 'eif') {
    const image = await buildEnclaveImage(options);
    writeEnclaveImage(out, image);
    const { facts } = image;
    report(out, 'fastness.eif', facts, facts.eif, facts.ramdisks);
    if (!facts.modules.includes('nsm')) process.stdout.write(NO_DRIVER);
    return;
  }
  const image = await buildImage({ ...options, stub: readFileSync(values.stub ?? fetchDebianStub(PACKAGES)) });
  writeImage(out, image);
  const { facts } = image;
  report(out, 'fastness.efi', facts, facts.uki, [facts.initramfs]);
}

/** An address that the image fixes, one that the network gives, or none. */
function networkOf(values: {
  readonly interface: string;
  readonly address: string;
  readonly gateway?: string;
  readonly nameserver?: readonly string[];
  readonly mtu?: string;
}): Pick<MachineSettingsInput, 'network'> {
  const { interface: name, address, gateway, nameserver, mtu } = values;
  if (address === 'none' || address === 'dhcp') {
    if ([gateway, nameserver, mtu].some((each) => each !== undefined))
      throw new Error('--gateway, --nameserver and --mtu go with a fixed --address.');
    return address === 'none' ? {} : { network: { interface: name, dhcp: true } };
  }
  const [ip = '', prefix = '24'] = address.split('/');
  return {
    network: {
      interface: name,
      address: ip,
      prefix: Number(prefix),
      ...(gateway === undefined ? {} : { gateway }),
      ...(nameserver === undefined ? {} : { nameservers: [...nameserver] }),
      ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
    },
  };
}

/** In an enclave the broker is a port of the enclave's own, carried outside. */
function brokerPort(url: string): number {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:' || parsed.hostname !== '127.0.0.1' || parsed.port === '')
    throw new Error(
      'An enclave image reaches its broker at --broker http://127.0.0.1:PORT; fastness vsock-proxy has the rest.',
    );
  return Number(parsed.port);
}

const NO_DRIVER =
  'The modules have no nsm.ko. Unless this kernel has that driver built in, the enclave finds no evidence: give --kernel and\n' +
  '--modules, such as bzImage and the folder of nsm.ko that nitro-cli brings.\n';

function report(
  out: string,
  name: string,
  { kernel, packages }: ImageFacts,
  file: FileFacts,
  archives: readonly ArchiveFacts[],
): void {
  const parts = archives.map(
    ({ bytes, unpackedBytes, files }) => `archive ${bytes} (${unpackedBytes} unpacked, ${files} files)`,
  );
  process.stdout.write(
    `${out}: ${file.bytes} bytes: kernel ${kernel.release} ${kernel.bytes}, ${parts.join(', ')}, ` +
      `${packages.length} packages of npm\nSHA-256 of ${name}: ${file.sha256}\n`,
  );
}

if (import.meta.main) await main();
