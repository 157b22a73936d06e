import { ByteReader, concatBytes, toHex, u64be, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { guidTableOf, malformed, MAX_DECLARED, MAX_SECTIONS, numberAt, PAGE } from './ovmf.ts';
import { sha384 } from './sha384.ts';

/** What a trust domain will be measured as when it is built. */
export interface PredictedTdx {
  /** SHA-384, hex: `measurements` of a policy. It covers the firmware; RTMRs cover what the firmware starts. */
  readonly mrtd: string;
}

/** A section of the metadata of a TDVF. */
interface TdvfSection {
  /** In the file, bytes. */
  readonly offset: number;
  readonly size: number;
  /** Guest physical address and length, bytes; whole pages. */
  readonly address: number;
  readonly length: number;
  /** Whether its content is measured, and not only where its pages are. */
  readonly extended: boolean;
  /** Whether its pages are added while the domain runs: then nothing of them is measured. */
  readonly late: boolean;
}

/** e47a6535-984a-4798-865e-4685a7bf8ec2 as it lies in memory, hex. */
const METADATA_GUID = '35657ae44a989847865e4685a7bf8ec2';
const CHUNK = 256;
const RECORD = 128;
/** Guest physical addresses have at most 52 bits. */
const MAX_ADDRESS = 1n << 52n;

/**
 * In which order pages of a section are added and measured: each is measured when it has been added (`page`: Linux from 6.16 on),
 * or all are added first (`section`: Canonical's kernels with QEMU 8.2). The values differ.
 */
export type TdxOrder = 'page' | 'section';

/**
 * MRTD of a trust domain that QEMU builds from a firmware with TDVF metadata (Intel TDX Virtual Firmware Design Guide, section 11,
 * "TDVF Metadata"; Intel TDX Module Base Specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND): SHA-384 of a record for every page
 * that is added, in the order of the metadata, and of its content in chunks of 256 bytes where the section says so.
 * Throws IMAGE_OVMF_MALFORMED, IMAGE_TDVF_METADATA if there are none.
 */
export async function predictTdx(
  firmware: Uint8Array,
  { order = 'page' }: { readonly order?: TdxOrder } = {},
): Promise<PredictedTdx> {
  const sections = sectionsOf(firmware).filter(({ late }) => !late);
  const hashed = new Uint8Array(sections.reduce((sum, section) => sum + hashedBytes(section), 0));
  let end = 0;
  const put = (bytes: Uint8Array): void => {
    hashed.set(bytes, end);
    end += bytes.length;
  };
  const add = ({ address }: TdvfSection, page: number): void => {
    put(record('MEM.PAGE.ADD', address + page));
  };
  const measure = ({ offset, address, extended }: TdvfSection, page: number): void => {
    if (!extended) return;
    for (let at = page; at < page + PAGE; at += CHUNK) {
      put(record('MR.EXTEND', address + at));
      put(firmware.subarray(offset + at, offset + at + CHUNK));
    }
  };
  for (const section of sections) {
    for (let page = 0; page < section.length; page += PAGE) {
      add(section, page);
      if (order === 'page') measure(section, page);
    }
    if (order === 'page') continue;
    for (let page = 0; page < section.length; page += PAGE) measure(section, page);
  }
  return { mrtd: toHex(await sha384(hashed)) };
}

/** How much of a section is hashed, with the records. */
function hashedBytes({ length, extended }: TdvfSection): number {
  return (length / PAGE) * (RECORD + (extended ? (PAGE / CHUNK) * (RECORD + CHUNK) : 0));
}

function sectionsOf(firmware: Uint8Array): TdvfSection[] {
  const entry = guidTableOf(firmware).get(METADATA_GUID);
  if (entry === undefined) throw new FastnessError('IMAGE_TDVF_METADATA');
  const start = firmware.length - numberAt(entry, 0);
  if (start < 0 || start + 16 > firmware.length) throw malformed('Its TDVF metadata are outside of it.');
  const header = new ByteReader(firmware.subarray(start, start + 16));
  if (toHex(header.take(4)) !== '54445646') throw malformed('Its TDVF metadata do not begin with "TDVF".');
  const [length, version, count] = [header.u32le(), header.u32le(), header.u32le()];
  if (version !== 1) throw malformed(`Its TDVF metadata are of version ${version}.`);
  if (count === 0 || count > MAX_SECTIONS || length !== 16 + 32 * count || start + length > firmware.length) {
    throw malformed(`Its TDVF metadata have ${count} sections in ${length} bytes.`);
  }
  const reader = new ByteReader(firmware.subarray(start + 16, start + length));
  const sections = Array.from({ length: count }, () => sectionOf(reader, firmware.length));
  let end = 0;
  for (const section of sections.toSorted((left, right) => left.address - right.address)) {
    if (section.address < end) throw malformed('Sections of its TDVF metadata overlap.');
    end = section.address + section.length;
  }
  if (sections.reduce((sum, each) => sum + each.length, 0) > MAX_DECLARED)
    throw malformed('It declares too much memory.');
  return sections;
}

function sectionOf(reader: ByteReader, firmwareLength: number): TdvfSection {
  const [offset, size, wideAddress, wideLength] = [reader.u32le(), reader.u32le(), reader.u64le(), reader.u64le()];
  reader.take(4);
  const attributes = reader.u32le();
  if (wideAddress + wideLength > MAX_ADDRESS) throw malformed('A section of its TDVF metadata is out of reach.');
  const [address, length] = [Number(wideAddress), Number(wideLength)];
  if (address % PAGE !== 0 || length % PAGE !== 0)
    throw malformed('A section of its TDVF metadata is not of whole pages.');
  if (offset + size > firmwareLength || size > length)
    throw malformed('A section of its TDVF metadata is larger than its place.');
  if (attributes > 3) throw malformed(`A section of its TDVF metadata has attributes ${attributes}.`);
  const extended = (attributes & 1) !== 0;
  const late = (attributes & 2) !== 0;
  if (extended && (late || size !== length))
    throw malformed('A measured section of its TDVF metadata has no content for all of it.');
  return { offset, size, address, length, extended, late };
}

/** What the module hashes for an operation: its name, then its address at byte 16. */
function record(operation: 'MEM.PAGE.ADD' | 'MR.EXTEND', address: number): Uint8Array {
  const name = utf8Encode(operation);
  const bytes = concatBytes(name, new Uint8Array(RECORD - name.length));
  bytes.set(u64be(address).toReversed(), 16);
  return bytes;
}
