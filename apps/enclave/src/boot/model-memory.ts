import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createThreadPool, prepareTarget, type PreparedTarget, type ThreadPool } from '@fastness/model';
import { createMemoryFile, type MemoryFile } from '../memory/index.ts';
import type { SealedModel } from './sealed-model.ts';

export interface ReserveMemoryOptions {
  readonly sealed: Pick<SealedModel, 'dir' | 'manifest'>;
  readonly tmpfsDir?: string | undefined;
  readonly signal: AbortSignal;
}

/** Where a model will be opened: a memory file for each of its files, empty but for zeros. */
export interface ModelMemory {
  readonly files: ReadonlyMap<string, MemoryFile>;
  /** Resolves when the files have their pages. Those that are missing here get them as they are written. */
  readonly prepared: Promise<ReadonlyMap<string, PreparedTarget>>;
  /** The threads that prepare, kept for opening. `openModel` ends them. */
  readonly pool: ThreadPool;
  /** Gives everything back. Preparing is broken off first. */
  close(): Promise<void>;
}

/**
 * Begins to make room for a model. New memory costs about as much time as decryption does, and needs no key: so it is
 * asked for before the broker is. Nobody has vouched for the manifest yet, so a file gets no more than its ciphertext has.
 * Throws ENCLAVE_NO_MEMORY_FILE, ENCLAVE_NOT_TMPFS; `prepared` rejects with SEAL_IO, SEAL_CANCELLED, SEAL_WORKER.
 */
export function reserveMemory({ sealed, tmpfsDir, signal }: ReserveMemoryOptions): ModelMemory {
  const files = new Map<string, MemoryFile>();
  const closeFiles = (): void => {
    for (const file of files.values()) file.close();
  };
  try {
    for (const { path } of sealed.manifest.files)
      files.set(path, createMemoryFile({ name: 'fastness-model', tmpfsDir }));
  } catch (error) {
    closeFiles();
    throw error;
  }
  const pool = createThreadPool();
  const broken = new AbortController();
  const prepared = prepareAll(sealed, files, { pool, signal: AbortSignal.any([signal, broken.signal]) });
  // Whoever opens the model learns of a failure; until then nobody may be listening.
  prepared.catch(() => undefined);
  return {
    files,
    prepared,
    pool,
    async close() {
      broken.abort();
      unmap((await prepared.catch(() => undefined)) ?? new Map());
      closeFiles();
      await pool[Symbol.asyncDispose]();
    },
  };
}

async function prepareAll(
  { dir, manifest }: ReserveMemoryOptions['sealed'],
  files: ReadonlyMap<string, MemoryFile>,
  run: { readonly pool: ThreadPool; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, PreparedTarget>> {
  const targets = new Map<string, PreparedTarget>();
  try {
    for (const { path, size, sealedPath, sealedSize } of manifest.files) {
      const fd = files.get(path)?.fd;
      if (fd === undefined || (await sizeOf(join(dir, sealedPath))) !== sealedSize) continue;
      const target = await prepareTarget({ fd, size, ...run });
      if (target !== undefined) targets.set(path, target);
    }
    return targets;
  } catch (error) {
    unmap(targets);
    throw error;
  }
}

/** Opening says what is wrong with a file that is not there. */
async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function unmap(targets: ReadonlyMap<string, PreparedTarget>): void {
  for (const target of targets.values()) target[Symbol.dispose]();
}
