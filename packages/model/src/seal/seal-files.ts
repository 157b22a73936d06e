import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { geometryOf } from '../floe/geometry.ts';
import { startFloe } from '../floe/header.ts';
import { floeIvLength } from '../floe/parameters.ts';
import type { Manifest, ManifestFile } from '../manifest.ts';
import { asIoError, writeFully } from '../threads/file-io.ts';
import type { ThreadPool } from '../threads/pool.ts';
import { deriveFileKey, fileAad } from './derive.ts';
import { prepareTarget } from './prepare-target.ts';
import { runSegments } from './run-segments.ts';
import { checkUnchanged, openSource, type SourceFile, type SourceModel } from './source.ts';

export interface SealFilesOptions {
  /** Where to write. */
  readonly staging: string;
  /** 32 bytes. */
  readonly root: Uint8Array;
  readonly manifest: Manifest;
  readonly source: SourceModel;
  readonly pool: ThreadPool;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
}

/** Seals every file of the manifest, one after the other, each with all threads. Errors: SEAL_*. */
export async function sealFiles(options: SealFilesOptions): Promise<void> {
  const { manifest, source, onProgress } = options;
  const total = manifest.files.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  for (const [index, file] of manifest.files.entries()) {
    const from = source.files[index];
    if (from === undefined) break;
    const report = onProgress === undefined ? undefined : (bytes: number): void => onProgress(before + bytes, total);
    await sealFile(file, from, { ...options, onProgress: report });
    before += file.size;
  }
}

type SealFileOptions = Omit<SealFilesOptions, 'onProgress'> & {
  readonly onProgress: ((bytes: number) => void) | undefined;
};

async function sealFile(file: ManifestFile, from: SourceFile, options: SealFileOptions): Promise<void> {
  const { staging, root, manifest, pool, signal, onProgress } = options;
  const geometry = geometryOf(file.size, file.floe.segmentSize);
  const key = deriveFileKey(root, manifest, file.path);
  const context = { segmentSize: geometry.segmentSize, iv: randomBytes(floeIvLength), aad: fileAad(manifest, file) };
  const start = startFloe(key, context);
  key.fill(0);
  try {
    const path = join(staging, file.sealedPath);
    await mkdir(dirname(path), { recursive: true });
    await using source = await openSource(from);
    await using target = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    );
    // Gains where the sealed model is made in memory, and does nothing elsewhere.
    using prepared = await prepareTarget({ fd: target.fd, size: geometry.sealedSize, pool, signal });
    writeFully(target.fd, start.header, 0);
    const job = {
      kind: 'seal',
      sourceFd: source.fd,
      targetFd: target.fd,
      memory: prepared?.memory,
      geometry,
      start,
    } as const;
    await runSegments(job, { pool, signal, onProgress });
    await checkUnchanged(from, source);
    await target.sync();
  } catch (error) {
    throw asIoError(error);
  } finally {
    start.messageKey.fill(0);
  }
}
