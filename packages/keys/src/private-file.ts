import { randomBytes } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** Identity of one state of a file: every atomic write gives it a new inode, so equality means nothing changed. */
export type FileState = string;

export interface ReadPrivateFileOptions {
  readonly maxBytes: number;
  /** The code to throw when the file is larger. */
  readonly tooLarge: ErrorCode;
}

/**
 * Reads a file that must be a plain file of this user (or root) which nobody else can read or write; a symbolic
 * link is refused. Errors: KEYS_FILE_NOT_FOUND, KEYS_PERMISSIONS, KEYS_IO and `tooLarge`.
 */
export async function readPrivateFile(path: string, options: ReadPrivateFileOptions): Promise<Uint8Array> {
  return (await readPrivateFileWithState(path, options)).bytes;
}

/** `readPrivateFile`, with the identity of what was read. */
export async function readPrivateFileWithState(
  path: string,
  options: ReadPrivateFileOptions,
): Promise<{ bytes: Uint8Array; state: FileState }> {
  const file = await openNoFollow(path);
  try {
    const stats = await file.stat({ bigint: true });
    checkPrivate(stats);
    if (stats.size > BigInt(options.maxBytes)) {
      throw new FastnessError(options.tooLarge, `The file has ${stats.size} bytes.`);
    }
    const bytes = new Uint8Array(Number(stats.size));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) throw new FastnessError('KEYS_IO', 'The file shrank while it was read.');
      filled += bytesRead;
    }
    return { bytes, state: stateOf(stats) };
  } catch (error) {
    throw asIoError(error);
  } finally {
    await file.close();
  }
}

/** The identity of the file at `path` now. Errors: KEYS_FILE_NOT_FOUND, KEYS_IO. */
export async function fileState(path: string): Promise<FileState> {
  try {
    return stateOf(await lstat(path, { bigint: true }));
  } catch (error) {
    throw asIoError(error);
  }
}

/**
 * Writes a file of mode 0600 so that a crash leaves either the old or the new content: temporary file beside it,
 * fsync, rename (or, for `mustNotExist`, an exclusive link), fsync of the folder.
 * `bytes` must be safe to be left in a temporary file. Errors: KEYS_FILE_EXISTS, KEYS_IO.
 */
export async function writePrivateFile(
  path: string,
  bytes: Uint8Array,
  options: { readonly mustNotExist: boolean },
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.mustNotExist) {
      await link(temporary, path);
      await unlink(temporary);
    } else {
      await rename(temporary, path);
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    if (codeOf(error) === 'EEXIST') throw new FastnessError('KEYS_FILE_EXISTS', undefined, { cause: error });
    throw asIoError(error);
  }
  await syncFolder(folder);
}

async function openNoFollow(path: string): Promise<FileHandle> {
  try {
    // O_NONBLOCK: opening a pipe in place of the file must not hang.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ELOOP') throw new FastnessError('KEYS_PERMISSIONS', 'It is a symbolic link.');
    throw asIoError(error);
  }
}

function checkPrivate(stats: BigIntStats): void {
  if (!stats.isFile()) throw new FastnessError('KEYS_PERMISSIONS', 'It is not a regular file.');
  if ((stats.mode & 0o077n) !== 0n) {
    throw new FastnessError('KEYS_PERMISSIONS', `Its mode is 0${(stats.mode & 0o777n).toString(8)}.`);
  }
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== BigInt(user) && stats.uid !== 0n) {
    throw new FastnessError('KEYS_PERMISSIONS', 'It belongs to another user.');
  }
}

function stateOf(stats: BigIntStats): FileState {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw asIoError(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function asIoError(error: unknown): FastnessError {
  if (error instanceof FastnessError) return error;
  const code = codeOf(error);
  if (code === 'ENOENT') return new FastnessError('KEYS_FILE_NOT_FOUND', undefined, { cause: error });
  return new FastnessError('KEYS_IO', typeof code === 'string' ? `(${code})` : undefined, { cause: error });
}
