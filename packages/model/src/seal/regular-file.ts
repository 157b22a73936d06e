import { constants, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { asIoError } from '../threads/file-io.ts';

export interface RegularFile extends AsyncDisposable {
  readonly handle: FileHandle;
  /** Bytes. */
  readonly size: number;
  readonly stats: Stats;
}

/**
 * Opens a regular file for reading, and nothing else: no symbolic link as its last part, and a pipe or device is refused
 * without waiting on it. `refusal` is thrown for those, and where there is nothing. Other errors: SEAL_IO.
 */
export async function openRegularFile(path: string, refusal: ErrorCode): Promise<RegularFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw refusalOf(error, refusal);
  }
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FastnessError(refusal, 'It is not a regular file.');
    return { handle, size: stats.size, stats, [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw asIoError(error);
  }
}

/** ELOOP: a link; ENXIO: a socket; the others: nothing there. */
const refused: ReadonlySet<unknown> = new Set(['ELOOP', 'ENXIO', 'ENOENT', 'ENOTDIR']);

function refusalOf(error: unknown, refusal: ErrorCode): FastnessError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return refused.has(code) ? new FastnessError(refusal, `(${String(code)})`, { cause: error }) : asIoError(error);
}
