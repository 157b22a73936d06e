import type { FileHandle } from 'node:fs/promises';
import { lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { BLOCK, DISK_MAGIC, HEADER_BYTES, MAX_INDEX_BYTES, parseIndex, roundUp, type DiskFile } from './layout.ts';

const PIECE = 1 << 20;

/**
 * Writes every file of a sealed model (`directory`) as an image of a block device. The same files give the same bytes.
 * `target` is replaced as a whole or not at all.
 * Throws MODEL_DISK_INDEX for names that a disk cannot hold, MODEL_DISK_SOURCE for what is no file, or changes meanwhile.
 */
export async function writeModelDisk(options: {
  readonly directory: string;
  readonly target: string;
  readonly signal?: AbortSignal;
}): Promise<{ readonly files: readonly DiskFile[]; readonly bytes: number }> {
  const { directory, target, signal } = options;
  const found = (await filesBelow(directory, '')).sort((left, right) => (left.path < right.path ? -1 : 1));
  const text = JSON.stringify({ files: found });
  const files = parseIndex(text);
  const index = utf8Encode(text);
  if (index.length > MAX_INDEX_BYTES) throw new FastnessError('MODEL_DISK_INDEX', `${index.length} bytes.`);
  const partial = `${target}.partial-${process.pid}`;
  try {
    const disk = await open(partial, 'wx', 0o644);
    let offset = roundUp(HEADER_BYTES + index.length);
    try {
      await writeAt(disk, concatBytes(utf8Encode(DISK_MAGIC), u32be(index.length), index), 0);
      for (const file of files) {
        await copy(join(directory, file.path), file.size, disk, offset, signal);
        offset = roundUp(offset + file.size);
      }
      await disk.truncate(Math.max(offset, BLOCK));
      await disk.sync();
    } finally {
      await disk.close();
    }
    await rename(partial, target);
    return { files, bytes: offset };
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

async function filesBelow(directory: string, below: string): Promise<DiskFile[]> {
  const entries = await readdir(join(directory, below)).catch((cause: unknown) => {
    throw new FastnessError('MODEL_DISK_SOURCE', join(directory, below), { cause });
  });
  const found: DiskFile[] = [];
  for (const name of entries) {
    const path = below === '' ? name : `${below}/${name}`;
    const facts = await lstat(join(directory, path));
    if (facts.isDirectory()) found.push(...(await filesBelow(directory, path)));
    else if (facts.isFile()) found.push({ path, size: facts.size });
    else throw new FastnessError('MODEL_DISK_SOURCE', `${path} is neither a file nor a folder.`);
  }
  return found;
}

async function copy(
  source: string,
  size: number,
  disk: FileHandle,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await open(source, 'r');
  try {
    const piece = new Uint8Array(Math.min(PIECE, Math.max(size, 1)));
    for (let done = 0; done < size;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, size - done), done);
      if (bytesRead === 0) throw new FastnessError('MODEL_DISK_SOURCE', `${source} became shorter.`);
      await writeAt(disk, piece.subarray(0, bytesRead), offset + done);
      done += bytesRead;
    }
    if ((await file.stat()).size !== size) throw new FastnessError('MODEL_DISK_SOURCE', `${source} changed.`);
  } finally {
    await file.close();
  }
}

async function writeAt(disk: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await disk.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}
