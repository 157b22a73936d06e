import { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import { maxModelFiles, maxModelPathLength } from '../manifest.ts';

/**
 * A sealed model as one block device, for a guest that must not let its kernel read a file system of the host's making:
 *
 *     "fastness/disk/1\n"  16 bytes
 *     length of the index  32 bits, big-endian
 *     index                JSON: {"files":[{"path","size"}, ...]}, paths ascending
 *     zeros                up to the next multiple of 4096
 *     files                in the order of the index, each followed by zeros up to the next multiple of 4096
 *     zeros                to the end of the device
 *
 * Nothing here is trusted: what the files say is checked as with any sealed model.
 */
export const DISK_MAGIC = 'fastness/disk/1\n';
export const BLOCK = 4096;
/** Bytes before the index. */
export const HEADER_BYTES = DISK_MAGIC.length + 4;
/** Bytes of an index: all files of the largest model, with paths of the greatest length, do not fit; none comes near. */
export const MAX_INDEX_BYTES = 4 << 20;

/** Relative, forward slashes, no part that begins with a dot: nothing that leads out of a folder or hides in it. */
const path = z
  .string()
  .max(maxModelPathLength + 32)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/);

const indexSchema = z.strictObject({
  files: z
    .array(z.strictObject({ path, size: z.int().min(0) }))
    .min(1)
    .max(maxModelFiles + 64),
});

export interface DiskFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

export function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

/** Reads an index. Paths must ascend, which also means that none comes twice, and none may be a folder of another. */
export function parseIndex(text: string): readonly DiskFile[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('MODEL_DISK_INDEX', 'It is not JSON.', { cause });
  }
  const result = indexSchema.safeParse(json);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new FastnessError('MODEL_DISK_INDEX', `/${issue?.path.map(String).join('/') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { files } = result.data;
  const folders = new Set(files.flatMap((file) => foldersOf(file.path)));
  files.forEach((file, place) => {
    const before = files[place - 1];
    if (before !== undefined && before.path >= file.path) {
      throw new FastnessError('MODEL_DISK_INDEX', `${file.path} does not come after ${before.path}.`);
    }
    if (folders.has(file.path)) throw new FastnessError('MODEL_DISK_INDEX', `${file.path} is a file and a folder.`);
  });
  return files;
}

/** The folders above a path, nearest last. */
export function foldersOf(file: string): string[] {
  const parts = file.split('/').slice(0, -1);
  return parts.map((_, place) => parts.slice(0, place + 1).join('/'));
}
