import { u16le, u32le } from '@fastness/codec';

/** What QEMU knows of a start when it fills in the header of a kernel. */
interface Loaded {
  readonly archiveBytes: number;
  readonly commandLine: string;
}

const HEADER_END = 0x268;
/** "HdrS", little-endian. */
const MAGIC = 0x5372_6448;
const XLF_ABOVE_4G = 2;
/** Where QEMU puts real-mode code and command line, for protocols from 2.02 on. */
const REAL_MODE = 0x1_0000;
const COMMAND_LINE = 0x2_0000;
/** Memory below 4 GiB of a q35 machine with 2 GiB, or with 2.75 GiB and more; the end of it is for ACPI tables. */
const LOW_MEMORY = 0x8000_0000;
const ACPI_BYTES = 0x2_8000;
const MAX_ADDRESS = 0x37ff_ffff;

/**
 * A bzImage as QEMU before 10.2 hands it to firmware in a trust domain: it fills in what a boot loader has to (Linux,
 * Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; QEMU, hw/i386/x86-common.c, x86_load_linux), so the kernel
 * that is measured is not the file. Which bytes depends on the size of the archive, and below 2.75 GiB on the memory.
 * undefined: the file is no bzImage of protocol 2.12 or later, the archive does not fit, or the command line has a word
 * (`vga=`) that changes more.
 */
export function qemuKernel(image: Uint8Array, { archiveBytes, commandLine }: Loaded): Uint8Array | undefined {
  if (image.length < HEADER_END || /(?:^|\s)vga=/.test(commandLine)) return undefined;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const protocol = view.getUint16(0x206, true);
  if (view.getUint32(0x202, true) !== MAGIC || protocol < 0x20c) return undefined;
  const copy = image.slice();
  copy[0x210] = 0xb0;
  copy[0x211] = (copy[0x211] ?? 0) | 0x80;
  copy.set(u16le(COMMAND_LINE - REAL_MODE - 0x200), 0x224);
  copy.set(u32le(COMMAND_LINE), 0x228);
  if (archiveBytes === 0) return copy;
  const anywhere = (view.getUint16(0x236, true) & XLF_ABOVE_4G) !== 0;
  const end = Math.min(anywhere ? LOW_MEMORY : MAX_ADDRESS, LOW_MEMORY - ACPI_BYTES - 1);
  if (archiveBytes >= end) return undefined;
  const start = end - archiveBytes;
  copy.set(u32le(start - (start % 4096)), 0x218);
  copy.set(u32le(archiveBytes), 0x21c);
  return copy;
}
