import { concatBytes, u16le, u32le, utf8Encode } from '@fastness/codec';

/**
 * A disk that firmware boots from: a FAT16 file system without a partition table that holds one file, \EFI\BOOT\BOOTX64.EFI
 * (UEFI 2.10, sections 3.5.1.1 and 13.3; FAT: Microsoft's specification 1.03). The same program gives the same bytes.
 */

const SECTOR = 512;
const CLUSTER = 32 * 1024;
const RESERVED = 1;
const ROOT_ENTRIES = 512;
const LAST = 0xffff;
/** Fewer clusters make a FAT12, more a FAT32. */
const MIN_CLUSTERS = 4085;
const MAX_CLUSTERS = 65_524;
const MEDIA = 0xf8;
/** 1 January 1980, the first day that FAT knows. */
const DATE = 0x0021;
const FOLDER = 0x10;
const FILE = 0x20;

export function bootDisk(program: Uint8Array, name = 'BOOTX64 EFI'): Uint8Array {
  const fileClusters = Math.ceil(program.length / CLUSTER);
  // Two folders, the file, and a little more than the least that makes it a FAT16.
  const clusters = Math.max(MIN_CLUSTERS + 16, fileClusters + 2);
  if (clusters > MAX_CLUSTERS) throw new Error(`A program of ${program.length} bytes does not fit on a FAT16 disk.`);
  const fatSectors = Math.ceil(((clusters + 2) * 2) / SECTOR);
  const total = RESERVED + 2 * fatSectors + (ROOT_ENTRIES * 32) / SECTOR + clusters * (CLUSTER / SECTOR);
  const [efi, boot, file] = [2, 3, 4];
  const fat = new Uint8Array(fatSectors * SECTOR);
  const set = (cluster: number, value: number): void => fat.set(u16le(value), cluster * 2);
  set(0, 0xff00 | MEDIA);
  set(1, LAST);
  set(efi, LAST);
  set(boot, LAST);
  for (let index = 0; index < fileClusters; index += 1) {
    set(file + index, index === fileClusters - 1 ? LAST : file + index + 1);
  }
  const root = padded(entry('EFI        ', FOLDER, efi, 0), ROOT_ENTRIES * 32);
  const efiFolder = folder(efi, 0, entry('BOOT       ', FOLDER, boot, 0));
  const bootFolder = folder(boot, efi, entry(name, FILE, file, program.length));
  const content = padded(program, fileClusters * CLUSTER);
  const used = 2 + fileClusters;
  return concatBytes(
    bootSector(total, fatSectors),
    fat,
    fat,
    root,
    efiFolder,
    bootFolder,
    content,
    new Uint8Array((clusters - used) * CLUSTER),
  );
}

function bootSector(total: number, fatSectors: number): Uint8Array {
  const sector = concatBytes(
    Uint8Array.of(0xeb, 0x3c, 0x90),
    utf8Encode('FASTNESS'),
    u16le(SECTOR),
    Uint8Array.of(CLUSTER / SECTOR),
    u16le(RESERVED),
    Uint8Array.of(2),
    u16le(ROOT_ENTRIES),
    u16le(total < 0x1_0000 ? total : 0),
    Uint8Array.of(MEDIA),
    u16le(fatSectors),
    u16le(63),
    u16le(255),
    u32le(0),
    u32le(total < 0x1_0000 ? 0 : total),
    // Drive number, reserved, signature of what follows: serial number, label, kind.
    Uint8Array.of(0x80, 0, 0x29),
    u32le(0x4641_5354),
    utf8Encode('FASTNESS   FAT16   '),
  );
  const whole = padded(sector, SECTOR);
  whole.set([0x55, 0xaa], SECTOR - 2);
  return whole;
}

/** A folder of one entry besides itself (`.`) and the one above (`..`, whose cluster is 0 when it is the root). */
function folder(own: number, above: number, content: Uint8Array): Uint8Array {
  return padded(
    concatBytes(entry('.          ', FOLDER, own, 0), entry('..         ', FOLDER, above, 0), content),
    CLUSTER,
  );
}

function entry(name: string, attributes: number, cluster: number, size: number): Uint8Array {
  return concatBytes(
    utf8Encode(name),
    Uint8Array.of(attributes, 0, 0),
    u16le(0),
    u16le(DATE),
    u16le(DATE),
    u16le(0),
    u16le(0),
    u16le(DATE),
    u16le(cluster),
    u32le(size),
  );
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const whole = new Uint8Array(size);
  whole.set(bytes);
  return whole;
}
