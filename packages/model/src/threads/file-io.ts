import { readSync, writeSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';

/** Reads into all of `target` from `offset`; the number of bytes before the file ended. @throws SEAL_IO */
export function readFully(fd: number, target: Uint8Array, offset: number): number {
  let done = 0;
  try {
    while (done < target.length) {
      const count = readSync(fd, target, done, target.length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  } catch (error) {
    throw asIoError(error);
  }
}

/** Writes all of `source` at `offset`. @throws SEAL_IO */
export function writeFully(fd: number, source: Uint8Array, offset: number): void {
  let done = 0;
  try {
    while (done < source.length) done += writeSync(fd, source, done, source.length - done, offset + done);
  } catch (error) {
    throw asIoError(error);
  }
}

/** A fault of the file system as SEAL_IO, with the system's code and never a path's content. */
export function asIoError(error: unknown): FastnessError {
  if (error instanceof FastnessError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return new FastnessError('SEAL_IO', typeof code === 'string' ? `(${code})` : undefined, { cause: error });
}
