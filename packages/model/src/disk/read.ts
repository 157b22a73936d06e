import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteReader, equalBytes, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { DISK_MAGIC, foldersOf, HEADER_BYTES, MAX_INDEX_BYTES, parseIndex, roundUp, type DiskFile } from './layout.ts';

const PIECE = 1 << 20;

/** What holds a model: read from its beginning to its end, each byte once. */
export interface DiskSource {
  /** For people. */
  readonly name: string;
  /** Up to `size` bytes from `offset`, which never goes back; none at the end. */
  read(size: number, offset: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Copies the files of a block device, or of what sends the same bytes, into an empty folder, which should lie in memory. The
 * device is the host's: it may hold anything and change while it is read, so each byte is read once, and whoever opens the
 * model checks the files.
 * @param options.maxBytes refuse more than that, all files together
 * @returns what was copied
 * Throws MODEL_DISK_UNREADABLE, MODEL_DISK_MAGIC, MODEL_DISK_INDEX, MODEL_DISK_TOO_LARGE, MODEL_DISK_TRUNCATED.
 */
export async function readModelDisk(options: {
  readonly device: string | DiskSource;
  readonly directory: string;
  readonly maxBytes: number;
}): Promise<readonly DiskFile[]> {
  const { device, directory, maxBytes } = options;
  const disk = typeof device === 'string' ? await openDevice(device) : device;
  try {
    const header = await readWhole(disk, HEADER_BYTES, 0);
    const magic = utf8Encode(DISK_MAGIC);
    if (!equalBytes(header.subarray(0, magic.length), magic)) throw new FastnessError('MODEL_DISK_MAGIC', disk.name);
    const length = new ByteReader(header.subarray(magic.length)).u32be();
    if (length > MAX_INDEX_BYTES) throw new FastnessError('MODEL_DISK_INDEX', `${length} bytes.`);
    const files = parseIndex(textOf(await readWhole(disk, length, HEADER_BYTES)));
    const total = files.reduce((sum, { size }) => sum + size, 0);
    if (total > maxBytes) throw new FastnessError('MODEL_DISK_TOO_LARGE', `${total} bytes; at most ${maxBytes}.`);
    let offset = roundUp(HEADER_BYTES + length);
    for (const { path, size } of files) {
      for (const folder of foldersOf(path)) await mkdir(join(directory, folder), { recursive: true });
      await copyOut(disk, offset, size, join(directory, path));
      offset = roundUp(offset + size);
    }
    return files;
  } finally {
    await disk.close();
  }
}

async function openDevice(path: string): Promise<DiskSource> {
  const file = await open(path, constants.O_RDONLY).catch((cause: unknown) => {
    throw new FastnessError('MODEL_DISK_UNREADABLE', path, { cause });
  });
  return {
    name: path,
    async read(size, offset) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(size), 0, size, offset);
      return buffer.subarray(0, bytesRead);
    },
    close: () => file.close(),
  };
}

async function copyOut(disk: DiskSource, offset: number, size: number, target: string): Promise<void> {
  const file = await open(target, 'wx', 0o600);
  try {
    for (let done = 0; done < size;) {
      const piece = await readWhole(disk, Math.min(PIECE, size - done), offset + done);
      await file.writeFile(piece);
      done += piece.length;
    }
  } finally {
    await file.close();
  }
}

async function readWhole(disk: DiskSource, size: number, offset: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let done = 0; done < size;) {
    const piece = await disk.read(size - done, offset + done).catch((cause: unknown) => {
      throw new FastnessError('MODEL_DISK_UNREADABLE', `At ${offset + done}.`, { cause });
    });
    if (piece.length === 0) throw new FastnessError('MODEL_DISK_TRUNCATED', `It ends at ${offset + done}.`);
    bytes.set(piece, done);
    done += piece.length;
  }
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (cause) {
    throw new FastnessError('MODEL_DISK_INDEX', 'It is not UTF-8.', { cause });
  }
}
