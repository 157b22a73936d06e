import { constants, type BigIntStats } from 'node:fs';
import { lstat, open, readdir, realpath, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { maxModelFiles, modelPathFault } from '../manifest.ts';
import { compareResourcePaths } from '../release/resource-name.ts';
import { asIoError } from '../threads/file-io.ts';

const maxDepth = 32;

export interface SourceFile {
  /** Inside the model, with forward slashes; the file's name when the model is a single file. */
  readonly path: string;
  readonly absolutePath: string;
  /** Bytes. */
  readonly size: number;
  /** What the file was when it was listed. */
  readonly stats: BigIntStats;
}

export interface SourceModel {
  /** The model's file or folder, with no link left in the path. */
  readonly root: string;
  readonly isFolder: boolean;
  /** Ordered by path components. */
  readonly files: readonly SourceFile[];
}

/**
 * Lists a model on disk: one regular file, or a folder of regular files and folders. Links are refused, so that what is
 * sealed is what the folder shows. A hard link cannot be told from a file and is read like one.
 * Errors: SEAL_SOURCE_NOT_FOUND, SEAL_SOURCE_SYMLINK, SEAL_SOURCE_SPECIAL, SEAL_SOURCE_NAME, SEAL_SOURCE_EMPTY,
 * SEAL_SOURCE_LIMIT, SEAL_IO.
 */
export async function listSource(source: string): Promise<SourceModel> {
  try {
    const path = resolve(source);
    const stats = await lstat(path, { bigint: true });
    // The way to the model may lead through links; the model itself may not be one.
    const root = join(await realpath(dirname(path)), basename(path));
    const files: SourceFile[] = [];
    if (kindOf(stats, '.') === 'file') add(files, { path: basename(path), absolutePath: root, stats });
    else await walk(root, '', 0, files);
    if (files.length === 0) throw new FastnessError('SEAL_SOURCE_EMPTY');
    files.sort((left, right) => compareResourcePaths(left.path, right.path));
    return { root, isFolder: stats.isDirectory(), files };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new FastnessError('SEAL_SOURCE_NOT_FOUND');
    throw asIoError(error);
  }
}

async function walk(folder: string, prefix: string, depth: number, files: SourceFile[]): Promise<void> {
  if (depth > maxDepth) throw new FastnessError('SEAL_SOURCE_LIMIT', `Folders deeper than ${maxDepth}.`);
  for (const rawName of await readdir(folder, { encoding: 'buffer' })) {
    const path = `${prefix}${nameOf(rawName)}`;
    const absolutePath = join(folder, nameOf(rawName));
    const stats = await lstat(absolutePath, { bigint: true });
    if (kindOf(stats, path) === 'file') add(files, { path, absolutePath, stats });
    else await walk(absolutePath, `${path}/`, depth + 1, files);
  }
}

function add(files: SourceFile[], file: Omit<SourceFile, 'size'>): void {
  const fault = modelPathFault(file.path);
  if (fault !== undefined) throw new FastnessError('SEAL_SOURCE_NAME', `${JSON.stringify(file.path)}: ${fault}`);
  if (files.length >= maxModelFiles) throw new FastnessError('SEAL_SOURCE_LIMIT', `More than ${maxModelFiles} files.`);
  files.push({ ...file, size: Number(file.stats.size) });
}

function nameOf(raw: Uint8Array): string {
  try {
    return utf8Decode(raw);
  } catch {
    throw new FastnessError('SEAL_SOURCE_NAME', 'A name is not UTF-8.');
  }
}

function kindOf(stats: BigIntStats, path: string): 'file' | 'folder' {
  if (stats.isSymbolicLink()) throw new FastnessError('SEAL_SOURCE_SYMLINK', JSON.stringify(path));
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  throw new FastnessError('SEAL_SOURCE_SPECIAL', JSON.stringify(path));
}

/**
 * Opens a listed file for reading and makes sure that it still is the one that was listed, reached without any link.
 * Errors: SEAL_SOURCE_CHANGED, SEAL_IO.
 */
export async function openSource(file: SourceFile): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(file.absolutePath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EIO' || code === 'EMFILE') throw asIoError(error);
    throw new FastnessError('SEAL_SOURCE_CHANGED', JSON.stringify(file.path), { cause: error });
  }
  try {
    await checkUnchanged(file, handle);
    // O_NOFOLLOW looks at the last part only: a folder above may have become a link since.
    if ((await realpath(file.absolutePath)) !== file.absolutePath) {
      throw new FastnessError('SEAL_SOURCE_CHANGED', JSON.stringify(file.path));
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw asIoError(error);
  }
}

/**
 * Refuses a file that is not what it was when listed: another file, another size, or written to since. A writer that
 * maps the file into memory may leave no trace in its times before it ends: keep writers away while sealing.
 * Errors: SEAL_SOURCE_CHANGED.
 */
export async function checkUnchanged(file: SourceFile, handle: FileHandle): Promise<void> {
  const now = await handle.stat({ bigint: true });
  const fields = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;
  if (!now.isFile() || fields.some((field) => now[field] !== file.stats[field])) {
    throw new FastnessError('SEAL_SOURCE_CHANGED', JSON.stringify(file.path));
  }
}
