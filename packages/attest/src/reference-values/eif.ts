import { ByteReader } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { crc32 } from './crc32.ts';

/** What a section of an enclave image holds. */
export type EifSectionKind = 'kernel' | 'command-line' | 'ramdisk' | 'signature' | 'metadata';

/** A section of an enclave image. */
export interface EifSection {
  readonly kind: EifSectionKind;
  /** View of the image, without the header of the section. */
  readonly content: Uint8Array;
}

/** An enclave image of AWS Nitro. */
export interface EifImage {
  /** Of the format: 2 to 4. */
  readonly version: number;
  readonly architecture: 'x86_64' | 'aarch64';
  /** In their order, which is the order in which they are measured. */
  readonly sections: readonly EifSection[];
}

/** ".eif" */
export const EIF_MAGIC = 0x2e65_6966;
const HEADER = 0x224;
const SECTION_HEADER = 12;
const MAX_SECTIONS = 32;
const METADATA_SINCE = 4;
const MAX_SIGNATURE = 32_768;
const kinds: ReadonlyMap<number, EifSectionKind> = new Map([
  [1, 'kernel'],
  [2, 'command-line'],
  [3, 'ramdisk'],
  [4, 'signature'],
  [5, 'metadata'],
]);

/**
 * Reads an enclave image of AWS Nitro (Enclave Image Format, versions 2 to 4). The header says where sections are and the
 * sections follow each other, and programs differ in which of the two they go by: an image whose header disagrees with its
 * sections, or that has anything between or after them, is refused.
 * Throws IMAGE_EIF_MALFORMED, IMAGE_EIF_CHECKSUM, IMAGE_EIF_SECTIONS.
 */
export function parseEif(bytes: Uint8Array): EifImage {
  if (bytes.length < HEADER) throw malformed(`It has ${bytes.length} bytes, less than a header.`);
  const header = new ByteReader(bytes.subarray(0, HEADER));
  if (header.u32be() !== EIF_MAGIC) throw malformed('It does not begin with ".eif".');
  const version = header.u16be();
  if (version < 2 || version > 4) throw malformed(`It is of version ${version}.`);
  const architecture = (header.u16be() & 1) === 0 ? 'x86_64' : 'aarch64';
  // Memory and number of processors are defaults that nothing goes by; then reserved bytes.
  header.take(18);
  const count = header.u16be();
  if (count < 2 || count > MAX_SECTIONS) throw malformed(`It has ${count} sections.`);
  const offsets = Array.from({ length: MAX_SECTIONS }, () => header.u64be());
  const sizes = Array.from({ length: MAX_SECTIONS }, () => header.u64be());
  header.take(4);
  const checksum = header.u32be();

  const sections: EifSection[] = [];
  let at = HEADER;
  for (let index = 0; index < count; index += 1) {
    if (offsets[index] !== BigInt(at))
      throw malformed(`Section ${index} is at ${at}; the header says ${offsets[index]}.`);
    if (bytes.length - at < SECTION_HEADER) throw malformed(`It ends before section ${index}.`);
    const section = new ByteReader(bytes.subarray(at, at + SECTION_HEADER));
    const type = section.u16be();
    const kind = kinds.get(type);
    if (kind === undefined) throw malformed(`Section ${index} is of type ${type}.`);
    section.take(2);
    const size = section.u64be();
    if (size !== sizes[index]) throw malformed(`Section ${index} has ${size} bytes; the header says ${sizes[index]}.`);
    at += SECTION_HEADER;
    if (size > BigInt(bytes.length - at)) throw malformed(`It ends in section ${index}.`);
    if (kind === 'signature' && size > MAX_SIGNATURE) throw malformed(`Its signature has ${size} bytes.`);
    sections.push({ kind, content: bytes.subarray(at, at + Number(size)) });
    at += Number(size);
  }
  if (at !== bytes.length) throw malformed(`It has ${bytes.length - at} bytes after its sections.`);
  if (crc32(bytes.subarray(0, HEADER - 4), bytes.subarray(HEADER)) !== checksum)
    throw new FastnessError('IMAGE_EIF_CHECKSUM');
  checkSections(sections, version);
  return { version, architecture, sections };
}

/** One kernel, then ramdisks; one command line; what the version asks for. */
function checkSections(sections: readonly EifSection[], version: number): void {
  const countOf = (kind: EifSectionKind): number => sections.filter((each) => each.kind === kind).length;
  for (const kind of ['kernel', 'command-line'] as const) {
    if (countOf(kind) !== 1) throw wrongSections(`${countOf(kind)} of kind ${kind}; one is wanted.`);
  }
  for (const kind of ['signature', 'metadata'] as const) {
    if (countOf(kind) > 1) throw wrongSections(`${countOf(kind)} of kind ${kind}; at most one is wanted.`);
  }
  if (version >= METADATA_SINCE && countOf('metadata') === 0) throw wrongSections('None of kind metadata.');
  const order = sections.map(({ kind }) => kind);
  const ramdisk = order.indexOf('ramdisk');
  if (ramdisk >= 0 && ramdisk < order.indexOf('kernel')) throw wrongSections('A ramdisk before the kernel.');
}

function malformed(detail: string): FastnessError {
  return new FastnessError('IMAGE_EIF_MALFORMED', detail);
}

function wrongSections(detail: string): FastnessError {
  return new FastnessError('IMAGE_EIF_SECTIONS', detail);
}
