import { join } from 'node:path';
import { deriveFileKey, fileAad, openSealedFile } from '@fastness/model';
import { createMemoryFile, type MemoryFile } from '../memory/index.ts';
import type { SealedModel } from './sealed-model.ts';

export interface OpenModelOptions {
  readonly sealed: SealedModel;
  /** Wiped before this returns, however it ends. */
  readonly root: Uint8Array;
  readonly tmpfsDir?: string | undefined;
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
 * reaches a disk. Throws FLOE_*, MODEL_*, ENCLAVE_NO_MEMORY_FILE, ENCLAVE_NOT_TMPFS, ENCLAVE_MEMORY_NOT_SEALED.
 */
export async function openModel(options: OpenModelOptions): Promise<OpenedModel> {
  const { sealed, root, signal } = options;
  const { manifest } = sealed;
  const files = new Map<string, MemoryFile>();
  const close = (): void => {
    for (const file of files.values()) file.close();
    files.clear();
  };
  try {
    let locked = options.lock;
    for (const { path, size, sealedPath, floe } of manifest.files) {
      const file = createMemoryFile({ name: 'fastness-model', tmpfsDir: options.tmpfsDir });
      files.set(path, file);
      const key = deriveFileKey(root, manifest, path);
      try {
        await openSealedFile({
          sealedPath: join(sealed.dir, sealedPath),
          key,
          aad: fileAad(manifest, { path, size }),
          expectedSize: size,
          expectedSegmentSize: floe.segmentSize,
          fd: file.fd,
          signal,
        });
      } finally {
        key.fill(0);
      }
      file.seal();
      if (locked && size > 0) locked = file.lock();
    }
    return { files, locked, close };
  } catch (error) {
    close();
    throw error;
  } finally {
    root.fill(0);
  }
}
