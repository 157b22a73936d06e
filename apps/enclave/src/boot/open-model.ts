import { join } from 'node:path';
import { deriveFileKey, fileAad, openSealedFile } from '@fastness/model';
import { FastnessError } from '@fastness/codec/errors';
import type { MemoryFile } from '../memory/index.ts';
import type { ModelMemory } from './model-memory.ts';
import type { SealedModel } from './sealed-model.ts';

export interface OpenModelOptions {
  readonly sealed: Pick<SealedModel, 'dir' | 'manifest'>;
  /** Wiped before this returns, however it ends. */
  readonly root: Uint8Array;
  /** Where to; becomes the opened model's, and is given back when opening fails. */
  readonly memory: ModelMemory;
  readonly lock: boolean;
  readonly signal: AbortSignal;
}

/** A model in memory; `close` gives the memory back. */
export interface OpenedModel {
  readonly files: ReadonlyMap<string, MemoryFile>;
  /** Whether every page is locked into memory. */
  readonly locked: boolean;
  close(): void;
}

/**
 * Decrypts every file straight into memory that has no name and that nothing can write to afterwards. Plaintext never
 * reaches a disk. Throws FLOE_*, MODEL_*, SEAL_*, ENCLAVE_MEMORY_NOT_SEALED.
 */
export async function openModel(options: OpenModelOptions): Promise<OpenedModel> {
  const { sealed, root, memory, signal } = options;
  const { manifest } = sealed;
  const { files, pool } = memory;
  try {
    const prepared = await memory.prepared;
    let locked = options.lock;
    for (const { path, size, sealedPath, floe } of manifest.files) {
      const file = files.get(path);
      if (file === undefined) throw new FastnessError('ENCLAVE_NO_MEMORY_FILE');
      const key = deriveFileKey(root, manifest, path);
      try {
        await openSealedFile({
          sealedPath: join(sealed.dir, sealedPath),
          key,
          aad: fileAad(manifest, { path, size }),
          expectedSize: size,
          expectedSegmentSize: floe.segmentSize,
          fd: file.fd,
          prepared: prepared.get(path),
          pool,
          signal,
        });
      } finally {
        key.fill(0);
      }
      file.seal();
      if (locked && size > 0) locked = file.lock();
    }
    await pool[Symbol.asyncDispose]();
    return { files, locked, close: () => files.forEach((file) => file.close()) };
  } catch (error) {
    await memory.close();
    throw error;
  } finally {
    root.fill(0);
  }
}
