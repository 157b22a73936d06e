import { concatBytes, utf8Encode } from '@fastness/codec';

/** A part of a unified kernel image, in the order in which they are put in. */
export interface UkiSection {
  /** `.osrel`, `.cmdline`, `.initrd`, `.linux`: names that systemd-stub looks for. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const SECTION_HEADER = 40;
/** IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ. */
const DATA = 0x4000_0040;

/**
 * A unified kernel image: systemd-stub with the kernel, its archive and its command line as further sections (PE format,
 * section 4; UAPI group, Unified Kernel Image). The firmware measures all of it as one program, and no command line from
 * outside is taken where Secure Boot is on. Throws an Error when the stub is no 64-bit PE image or has no room.
 */
export function buildUki(stub: Uint8Array, sections: readonly UkiSection[]): Uint8Array {
  const header = stub.slice();
  const view = new DataView(header.buffer);
  const pe = view.getUint32(0x3c, true);
  if (view.getUint16(0, true) !== 0x5a4d || view.getUint32(pe, true) !== 0x4550)
    throw new Error('The stub is no PE image.');
  const count = view.getUint16(pe + 6, true);
  const optional = pe + 24;
  if (view.getUint16(optional, true) !== 0x20b) throw new Error('The stub is not for a 64-bit machine.');
  const sectionAlignment = view.getUint32(optional + 32, true);
  const fileAlignment = view.getUint32(optional + 36, true);
  const sizeOfHeaders = view.getUint32(optional + 60, true);
  const table = optional + view.getUint16(pe + 20, true);
  if (table + (count + sections.length) * SECTION_HEADER > sizeOfHeaders)
    throw new Error('The stub has no room for sections.');
  let address = 0;
  let offset = 0;
  for (let index = 0; index < count; index += 1) {
    const at = table + index * SECTION_HEADER;
    address = Math.max(address, view.getUint32(at + 12, true) + view.getUint32(at + 8, true));
    offset = Math.max(offset, view.getUint32(at + 20, true) + view.getUint32(at + 16, true));
  }
  // What follows the last section (symbols for a debugger) is left behind.
  const parts: Uint8Array[] = [header.subarray(0, offset)];
  view.setUint32(pe + 12, 0, true);
  sections.forEach(({ name, bytes }, index) => {
    address = roundUp(address, sectionAlignment);
    const start = roundUp(offset, fileAlignment);
    const size = roundUp(bytes.length, fileAlignment);
    const at = table + (count + index) * SECTION_HEADER;
    header.fill(0, at, at + SECTION_HEADER);
    header.set(utf8Encode(name), at);
    view.setUint32(at + 8, bytes.length, true);
    view.setUint32(at + 12, address, true);
    view.setUint32(at + 16, size, true);
    view.setUint32(at + 20, start, true);
    view.setUint32(at + 36, DATA, true);
    parts.push(new Uint8Array(start - offset), bytes, new Uint8Array(size - bytes.length));
    address += bytes.length;
    offset = start + size;
  });
  view.setUint16(pe + 6, count + sections.length, true);
  view.setUint32(optional + 56, roundUp(address, sectionAlignment), true);
  view.setUint32(optional + 64, 0, true);
  return concatBytes(...parts);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
