import { ftruncateSync } from 'node:fs';
import { FastnessError } from '@fastness/codec/errors';
import { geometryOf } from '../floe/geometry.ts';
import { openFloe } from '../floe/header.ts';
import { floeHeaderLength } from '../floe/parameters.ts';
import { readFully } from '../threads/file-io.ts';
import { createThreadPool, type ThreadPool } from '../threads/pool.ts';
import { prepareTarget, type PreparedTarget } from './prepare-target.ts';
import { openRegularFile } from './regular-file.ts';
import { runSegments } from './run-segments.ts';

export interface OpenSealedFileOptions {
  /** Where the ciphertext is. A symbolic link, pipe or device in its place is refused. */
  readonly sealedPath: string;
  /** The file key (`deriveFileKey`), 32 bytes; stays the caller's to wipe. */
  readonly key: Uint8Array;
  /** The associated data (`fileAad`). */
  readonly aad: Uint8Array;
  /** Bytes of plaintext, from the manifest. */
  readonly expectedSize: number;
  /** Bytes of a segment, from the manifest; default: what the header says, once it verified. */
  readonly expectedSegmentSize?: number;
  /** Where the plaintext goes: a descriptor open for writing, of a memory file for example. It is cut to the plaintext's size. */
  readonly fd: number;
  /** The same file, prepared ahead (`prepareTarget`) for `expectedSize` bytes; unmapped when this settles. */
  readonly prepared?: PreparedTarget | undefined;
  /** 1 to 64, the calling thread included; default: one for each processor, at most 4. Ignored when `pool` is given. */
  readonly threads?: number;
  /** Threads kept for several files. */
  readonly pool?: ThreadPool;
  readonly signal?: AbortSignal;
  /** Bytes of plaintext written so far; at most every 50 ms. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Decrypts a sealed file into `fd`, each segment at its own position once its tag verified. When it throws, the target
 * holds nothing of the plaintext. What it does not do: keep the target confidential; that is up to where `fd` leads.
 * Errors: FLOE_KEY_LENGTH, FLOE_PARAMETERS, FLOE_HEADER_TAG, FLOE_SEGMENT_LENGTH, FLOE_SEGMENT_TAG, FLOE_TRUNCATED,
 * FLOE_TRAILING, MODEL_FILE_MISSING, SEAL_THREADS, SEAL_CANCELLED, SEAL_IO, SEAL_WORKER.
 */
export async function openSealedFile(options: OpenSealedFileOptions): Promise<void> {
  const { fd, key, aad, expectedSize, expectedSegmentSize, signal, onProgress } = options;
  await using threads = new AsyncDisposableStack();
  using mapped = new DisposableStack();
  const given = mapped.use(options.prepared);
  await using source = await openRegularFile(options.sealedPath, 'MODEL_FILE_MISSING');
  const header = new Uint8Array(floeHeaderLength);
  const start = openFloe(key, {
    header: header.subarray(0, readFully(source.handle.fd, header, 0)),
    aad,
    expectedSegmentSize,
  });
  try {
    const geometry = geometryOf(expectedSize, start.segmentSize);
    if (source.size < geometry.sealedSize)
      throw new FastnessError('FLOE_TRUNCATED', sizes(source.size, geometry.sealedSize));
    if (source.size > geometry.sealedSize)
      throw new FastnessError('FLOE_TRAILING', sizes(source.size, geometry.sealedSize));
    if (given !== undefined && (given.memory.fd !== fd || given.memory.size !== expectedSize)) {
      throw new FastnessError('FLOE_SEGMENT_RANGE', 'The target was prepared for another file.');
    }
    const pool = options.pool ?? threads.use(createThreadPool(options.threads));
    const { memory } = given ?? mapped.use(await prepareTarget({ fd, size: expectedSize, pool, signal })) ?? {};
    const job = { kind: 'open', sourceFd: source.handle.fd, targetFd: fd, memory, geometry, start } as const;
    await runSegments(job, { pool, signal, onProgress });
  } catch (error) {
    discard(fd);
    throw error;
  } finally {
    start.messageKey.fill(0);
  }
}

function sizes(actual: number, expected: number): string {
  return `It has ${actual} bytes, not ${expected}.`;
}

/** Not even verified segments stay: half a model must not be mistaken for one. */
function discard(fd: number): void {
  try {
    ftruncateSync(fd, 0);
  } catch {
    // A target that cannot be cut (a sealed memory file) is the caller's to drop; the error on its way says so.
  }
}
