import { ByteReader, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** What a page of memory is for, as the firmware declares it. */
export type OvmfSectionKind = 'memory' | 'secrets' | 'cpuid' | 'calling-area' | 'kernel-hashes';

/** Memory that is put in place before the machine starts. */
export interface OvmfSection {
  readonly kind: OvmfSectionKind;
  /** Guest physical address and length, bytes; whole pages. */
  readonly address: number;
  readonly length: number;
}

/** An OVMF firmware, read as far as the launch of a machine with SEV-SNP needs. */
export interface OvmfImage {
  readonly bytes: Uint8Array;
  /** Guest physical address of its first byte: it ends at 4 GiB. */
  readonly address: number;
  /** Where processors but the first begin. */
  readonly resetAddress: number;
  /** Where hashes of kernel, archive and command line are put. Absent: the firmware wants none. */
  readonly hashesAddress?: number;
  readonly sections: readonly OvmfSection[];
}

export const PAGE = 4096;
const FOUR_GIB = 0x1_0000_0000;
const MAX_BYTES = 64 << 20;
/** Sections of metadata. */
export const MAX_SECTIONS = 64;
/** Memory that the firmware may declare, in all: each page of it costs two hashes. */
export const MAX_DECLARED = 256 << 20;
const RESET_VECTOR = 32;
const ENTRY = 18;
/** GUIDs as they lie in memory, hex. */
const guids = Object.freeze({
  footer: 'de82b596b21ff745baeaa366c55a082d',
  hashes: '1f3755723b3a044b927b1da6efa8d454',
  reset: 'de71f7007e1acb4f890e68c77e2fb44e',
  sevMetadata: '666588dc4a989847a75e5585a7bf67cc',
});
const kinds: ReadonlyMap<number, OvmfSectionKind> = new Map([
  [1, 'memory'],
  [2, 'secrets'],
  [3, 'cpuid'],
  [4, 'calling-area'],
  [0x10, 'kernel-hashes'],
]);

/**
 * Reads an OVMF firmware: the table of GUIDs that ends 32 bytes before its end (edk2, OvmfPkg/ResetVector) and the SEV
 * metadata that it points to (OvmfSevMetadata.asm).
 * Throws IMAGE_OVMF_MALFORMED, IMAGE_OVMF_METADATA if there is none for SEV-SNP.
 */
export function parseOvmf(bytes: Uint8Array): OvmfImage {
  const table = guidTableOf(bytes);
  const metadata = table.get(guids.sevMetadata);
  if (metadata === undefined) throw new FastnessError('IMAGE_OVMF_METADATA', 'It has no SEV metadata.');
  const reset = table.get(guids.reset);
  if (reset === undefined) throw new FastnessError('IMAGE_OVMF_METADATA', 'It has no reset block of SEV-ES.');
  const hashes = table.get(guids.hashes);
  const hashesAddress = hashes === undefined ? 0 : numberAt(hashes, 0);
  return {
    bytes,
    address: FOUR_GIB - bytes.length,
    resetAddress: numberAt(reset, 0),
    ...(hashesAddress === 0 ? {} : { hashesAddress }),
    sections: sectionsOf(bytes, bytes.length - numberAt(metadata, 0)),
  };
}

/** Whether bytes end as an OVMF firmware with a table of GUIDs does. */
export function isOvmf(bytes: Uint8Array): boolean {
  const end = bytes.length - RESET_VECTOR;
  return end >= ENTRY && toHex(bytes.subarray(end - 16, end)) === guids.footer;
}

/** Contents by GUID, hex as it lies in memory (edk2, OvmfPkg/ResetVector). Throws IMAGE_OVMF_MALFORMED. */
export function guidTableOf(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  if (bytes.length < PAGE || bytes.length % PAGE !== 0 || bytes.length > MAX_BYTES) {
    throw malformed(`It has ${bytes.length} bytes: not whole pages, or more than ${MAX_BYTES}.`);
  }
  return tableOf(bytes);
}

/** The table is read from its end; the length of an entry stands behind its content. */
function tableOf(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  if (!isOvmf(bytes)) throw malformed('It has no table of GUIDs.');
  const footer = bytes.length - RESET_VECTOR - ENTRY;
  const start = footer + ENTRY - lengthAt(bytes, footer);
  if (start < 0 || start > footer) throw malformed('Its table of GUIDs has a wrong length.');
  const table = new Map<string, Uint8Array>();
  let end = footer;
  while (end > start) {
    const length = end - ENTRY < start ? 0 : lengthAt(bytes, end - ENTRY);
    if (length < ENTRY || end - length < start) throw malformed('An entry of its table of GUIDs has a wrong length.');
    const guid = toHex(bytes.subarray(end - 16, end));
    if (table.has(guid)) throw malformed('Its table of GUIDs has an entry twice.');
    table.set(guid, bytes.subarray(end - length, end - ENTRY));
    end -= length;
  }
  return table;
}

function sectionsOf(bytes: Uint8Array, start: number): OvmfSection[] {
  if (start < 0 || start + 16 > bytes.length) throw malformed('Its SEV metadata are outside of it.');
  const header = new ByteReader(bytes.subarray(start, start + 16));
  if (toHex(header.take(4)) !== '41534556') throw malformed('Its SEV metadata do not begin with "ASEV".');
  const length = header.u32le();
  const version = header.u32le();
  const count = header.u32le();
  if (version !== 1) throw malformed(`Its SEV metadata are of version ${version}.`);
  if (count === 0 || count > MAX_SECTIONS || length !== 16 + 12 * count || start + length > bytes.length) {
    throw malformed(`Its SEV metadata have ${count} sections in ${length} bytes.`);
  }
  const reader = new ByteReader(bytes.subarray(start + 16, start + length));
  const sections = Array.from({ length: count }, (): OvmfSection => {
    const [address, size, type] = [reader.u32le(), reader.u32le(), reader.u32le()];
    const kind = kinds.get(type);
    if (kind === undefined) throw malformed(`A section of its SEV metadata is of type ${type}.`);
    if (size === 0 || size % PAGE !== 0 || address % PAGE !== 0)
      throw malformed(`Section ${kind} is not of whole pages.`);
    if (singlePages.has(kind) && size !== PAGE) throw malformed(`Section ${kind} is not one page.`);
    return { kind, address, length: size };
  });
  let end = 0;
  for (const { kind, address, length: size } of sections.toSorted((left, right) => left.address - right.address)) {
    if (address < end) throw malformed(`Section ${kind} overlaps another.`);
    end = address + size;
  }
  if (end > FOUR_GIB - bytes.length) throw malformed('A section lies where the firmware itself does.');
  if (sections.reduce((sum, each) => sum + each.length, 0) > MAX_DECLARED)
    throw malformed('It declares too much memory.');
  for (const kind of singlePages) {
    if (sections.filter((each) => each.kind === kind).length > 1) throw malformed(`It has section ${kind} twice.`);
  }
  return sections;
}

const singlePages: ReadonlySet<OvmfSectionKind> = new Set(['secrets', 'cpuid', 'kernel-hashes']);

function lengthAt(bytes: Uint8Array, at: number): number {
  return new ByteReader(bytes.subarray(at, at + 2)).u16le();
}

/** A little-endian 32-bit number in an entry of the table. Throws IMAGE_OVMF_MALFORMED. */
export function numberAt(content: Uint8Array, at: number): number {
  if (content.length < at + 4) throw malformed('An entry of its table of GUIDs is too short.');
  return new ByteReader(content.subarray(at, at + 4)).u32le();
}

/** IMAGE_OVMF_MALFORMED with its reason. */
export function malformed(detail: string): FastnessError {
  return new FastnessError('IMAGE_OVMF_MALFORMED', detail);
}
