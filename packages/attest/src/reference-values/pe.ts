import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** A section of a PE image. Views of the image. */
export interface PeSection {
  readonly name: string;
  /** What the section holds once it is loaded: as many bytes as it says, without what fills up the file. */
  readonly content: Uint8Array;
}

/** A PE image, read as far as its measurement needs. */
export interface PeImage {
  readonly sections: readonly PeSection[];
  /** What Authenticode hashes, in its order. Views of the image. */
  readonly hashed: readonly Uint8Array[];
}

const MZ = 0x5a4d;
const PE = 0x4550;
const PE32_PLUS = 0x20b;
const SECTION_HEADER = 40;
const MAX_SECTIONS = 96;
const CERTIFICATE_TABLE = 4;

/**
 * Reads a 64-bit PE image (PE Format, sections 3 and 4) for its Authenticode digest (Windows Authenticode Portable Executable
 * Signature Format, "Calculating the PE Image Hash"): the headers without checksum and certificate table, the sections in the
 * order of their place in the file, and what follows them up to the certificates. 32-bit images are not read.
 * Throws IMAGE_PE_MALFORMED.
 */
export function parsePe(bytes: Uint8Array): PeImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at: number): number => (inside(at, 2), view.getUint16(at, true));
  const u32 = (at: number): number => (inside(at, 4), view.getUint32(at, true));
  const inside = (at: number, size: number): void => {
    if (at + size > bytes.length) throw malformed(`It ends at ${bytes.length}; ${at + size} was wanted.`);
  };
  const part = (from: number, to: number): Uint8Array => {
    if (from > to) throw malformed('Parts of its header overlap.');
    inside(to, 0);
    return bytes.subarray(from, to);
  };
  if (u16(0) !== MZ) throw malformed('It does not begin with "MZ".');
  const header = u32(0x3c);
  if (u32(header) !== PE) throw malformed('It has no PE header.');
  const count = u16(header + 6);
  const optional = header + 24;
  if (u16(optional) !== PE32_PLUS) throw malformed('It is not for a 64-bit machine.');
  if (count === 0 || count > MAX_SECTIONS) throw malformed(`It has ${count} sections.`);
  const headerEnd = u32(optional + 60);
  const checksum = optional + 64;
  const directories = u32(optional + 108);
  if (directories <= CERTIFICATE_TABLE) throw malformed('It has no place for certificates.');
  const certificateTable = optional + 112 + CERTIFICATE_TABLE * 8;
  const certificateBytes = u32(certificateTable + 4);
  const table = optional + u16(header + 20);
  if (table + count * SECTION_HEADER > headerEnd) throw malformed('Its sections are not listed in its header.');

  const placed = Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_HEADER;
    const [virtualSize, rawSize, rawOffset] = [u32(at + 8), u32(at + 16), u32(at + 20)];
    const raw = part(rawOffset, rawOffset + rawSize);
    return { name: nameOf(part(at, at + 8)), raw, rawOffset, content: raw.subarray(0, Math.min(virtualSize, rawSize)) };
  });
  const inFile = placed.filter(({ raw }) => raw.length > 0).toSorted((left, right) => left.rawOffset - right.rawOffset);
  let end = headerEnd;
  for (const { name, raw, rawOffset } of inFile) {
    if (rawOffset < end) throw malformed(`Section ${name} overlaps what is before it.`);
    end = rawOffset + raw.length;
  }
  const hashedBytes = inFile.reduce((sum, { raw }) => sum + raw.length, headerEnd);
  if (hashedBytes + certificateBytes > bytes.length)
    throw malformed('Its certificates are larger than what follows its sections.');
  const rest = part(hashedBytes, bytes.length - certificateBytes);
  return {
    sections: placed.map(({ name, content }) => ({ name, content })),
    hashed: [
      part(0, checksum),
      part(checksum + 4, certificateTable),
      part(certificateTable + 8, headerEnd),
      ...inFile.map(({ raw }) => raw),
      rest,
    ],
  };
}

function nameOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  try {
    return utf8Decode(end < 0 ? field : field.subarray(0, end));
  } catch (cause) {
    throw malformed('A section has no readable name.', cause);
  }
}

function malformed(detail: string, cause?: unknown): FastnessError {
  return new FastnessError('IMAGE_PE_MALFORMED', detail, cause === undefined ? undefined : { cause });
}
