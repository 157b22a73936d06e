import { concatBytes, utf8Encode } from '@fastness/codec';

/** One entry of an archive; paths are relative. */
export type ArchiveEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly bytes: Uint8Array; readonly executable: boolean }
  | { readonly kind: 'device'; readonly path: string; readonly major: number; readonly minor: number };

const FOLDER = 0o040755;
const FILE = 0o100644;
const PROGRAM = 0o100755;
const CHARACTER_DEVICE = 0o020600;

/**
 * An archive as the kernel unpacks it (cpio "newc", Documentation/driver-api/early-userspace/buffer-format.rst). The same
 * entries give the same bytes: sorted by path, owned by root, of the year 1970.
 */
export function writeCpio(entries: readonly ArchiveEntry[]): Uint8Array {
  const sorted = entries.toSorted((left, right) => (left.path < right.path ? -1 : 1));
  const parts = sorted.flatMap((entry, place) => record(entry, place + 1));
  return concatBytes(...parts, ...recordOf('TRAILER!!!', 0, 0, new Uint8Array(0), 0, 0));
}

function record(entry: ArchiveEntry, inode: number): Uint8Array[] {
  const none = new Uint8Array(0);
  if (entry.kind === 'folder') return recordOf(entry.path, inode, FOLDER, none, 0, 0);
  if (entry.kind === 'file') return recordOf(entry.path, inode, entry.executable ? PROGRAM : FILE, entry.bytes, 0, 0);
  return recordOf(entry.path, inode, CHARACTER_DEVICE, none, entry.major, entry.minor);
}

function recordOf(
  path: string,
  inode: number,
  mode: number,
  bytes: Uint8Array,
  major: number,
  minor: number,
): Uint8Array[] {
  const name = utf8Encode(`${path}\0`);
  // inode, mode, owner, group, links, time, size, device of the file (2), device (2), length of the name, checksum (none)
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, major, minor, name.length, 0];
  const header = utf8Encode(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), bytes, padding(bytes.length)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
