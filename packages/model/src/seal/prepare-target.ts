import { ftruncateSync } from 'node:fs';
import { asIoError } from '../threads/file-io.ts';
import { mapFile, type FileMemory } from '../threads/file-memory.ts';
import { createThreadPool, type ThreadPool } from '../threads/pool.ts';

export interface PrepareTargetOptions {
  /** A descriptor open for reading and writing. What the file holds is lost. */
  readonly fd: number;
  /** Bytes that will be written. */
  readonly size: number;
  /** 1 to 64, the calling thread included; default: one for each processor, at most 4. Ignored when `pool` is given. */
  readonly threads?: number | undefined;
  readonly pool?: ThreadPool | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A file whose pages are there; it holds zeros. Disposing unmaps it, and leaves the file as it is. */
export interface PreparedTarget extends Disposable {
  readonly memory: FileMemory;
}

/**
 * Cuts a file to `size` and, where it lies in memory, gives it all its pages and maps it: half the work of opening a
 * model, and the half that needs no key. Undefined where that is not possible or gains nothing; the file is then just
 * cut, and `openSealedFile` writes it. Errors: SEAL_IO, SEAL_THREADS, SEAL_CANCELLED, SEAL_WORKER.
 */
export async function prepareTarget(options: PrepareTargetOptions): Promise<PreparedTarget | undefined> {
  const { fd, size, signal } = options;
  const mapped = cutAndMap(fd, size);
  if (mapped === undefined) return undefined;
  const { memory, unmap } = mapped;
  const pool = options.pool ?? createThreadPool(options.threads);
  try {
    await pool.run({ kind: 'prepare', memory }, { signal });
  } catch (error) {
    unmap();
    throw error;
  } finally {
    if (pool !== options.pool) await pool[Symbol.asyncDispose]();
  }
  let isMapped = true;
  return {
    memory,
    [Symbol.dispose]() {
      if (isMapped) unmap();
      isMapped = false;
    },
  };
}

function cutAndMap(fd: number, size: number): ReturnType<typeof mapFile> {
  try {
    ftruncateSync(fd, 0);
    ftruncateSync(fd, size);
  } catch (error) {
    throw asIoError(error);
  }
  return mapFile(fd, size);
}
