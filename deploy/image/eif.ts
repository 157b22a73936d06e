import { crc32 } from 'node:zlib';
import { concatBytes, u16be, u32be, u64be, utf8Encode } from '@fastness/codec';

/** What an enclave of AWS Nitro starts from. */
export interface EifParts {
  readonly architecture: 'x86_64' | 'aarch64';
  readonly kernel: Uint8Array;
  readonly commandLine: string;
  /** Archives: the first is register 1's, the others are register 2's. */
  readonly ramdisks: readonly Uint8Array[];
  /** Describes the image; nothing measures it. */
  readonly metadata: EifMetadata;
  /** Content of the signature's section, as `nitro-cli sign-eif` makes it. */
  readonly signature?: Uint8Array;
}

/** The fields that `nitro-cli describe-eif` reads. */
export interface EifMetadata {
  readonly name: string;
  readonly version: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
}

/** Kinds of sections. */
const KERNEL = 1;
const COMMAND_LINE = 2;
const RAMDISK = 3;
const SIGNATURE = 4;
const METADATA = 5;

const VERSION = 4;
const HEADER = 0x224;
const SECTION_HEADER = 12;
const MAX_SECTIONS = 32;
const ARM64 = 1;
/** What nitro-cli writes as well, and nothing goes by: an enclave is started with a size of its own. */
const DEFAULT_MEMORY = 1 << 30;
const DEFAULT_PROCESSORS = 2;

/**
 * An enclave image (Enclave Image Format, version 4: src/defs/mod.rs of aws/aws-nitro-enclaves-image-format), its sections in
 * the order in which nitro-cli writes them. The same parts give the same bytes. Throws an Error when a part cannot be written.
 */
export function buildEif(parts: EifParts): Uint8Array {
  const { kernel, commandLine, ramdisks, metadata, signature } = parts;
  if (kernel.length === 0 || ramdisks.length === 0) throw new Error('An enclave image has a kernel and a ramdisk.');
  if (!/^[\x20-\x7e]*$/.test(commandLine)) throw new Error('The command line is not one line of ASCII.');
  const sections: readonly (readonly [kind: number, content: Uint8Array])[] = [
    [KERNEL, kernel],
    [COMMAND_LINE, utf8Encode(commandLine)],
    [METADATA, utf8Encode(JSON.stringify(metadataOf(metadata)))],
    ...ramdisks.map((ramdisk) => [RAMDISK, ramdisk] as const),
    ...(signature === undefined ? [] : [[SIGNATURE, signature] as const]),
  ];
  if (sections.length > MAX_SECTIONS) throw new Error(`An enclave image has at most ${MAX_SECTIONS} sections.`);
  const offsets: number[] = [];
  let at = HEADER;
  for (const [, content] of sections) {
    offsets.push(at);
    at += SECTION_HEADER + content.length;
  }
  const header = concatBytes(
    utf8Encode('.eif'),
    u16be(VERSION),
    u16be(parts.architecture === 'aarch64' ? ARM64 : 0),
    u64be(DEFAULT_MEMORY),
    u64be(DEFAULT_PROCESSORS),
    u16be(0),
    u16be(sections.length),
    table(offsets),
    table(sections.map(([, content]) => content.length)),
    u32be(0),
  );
  const body = sections.flatMap(([kind, content]) => [u16be(kind), u16be(0), u64be(content.length), content]);
  // Of everything but itself.
  const checksum = body.reduce((value, bytes) => crc32(bytes, value), crc32(header));
  return concatBytes(header, u32be(checksum), ...body);
}

function table(values: readonly number[]): Uint8Array {
  return concatBytes(...Array.from({ length: MAX_SECTIONS }, (_, index) => u64be(values[index] ?? 0)));
}

/** EifIdentityInfo. A time of building would make each build another one. */
function metadataOf({ name, version, operatingSystem, kernelVersion }: EifMetadata): unknown {
  return {
    ImageName: name,
    ImageVersion: version,
    BuildMetadata: {
      BuildTime: '1970-01-01T00:00:00Z',
      BuildTool: 'fastness',
      BuildToolVersion: version,
      OperatingSystem: operatingSystem,
      KernelVersion: kernelVersion,
    },
    DockerInfo: {},
    CustomMetadata: {},
  };
}
