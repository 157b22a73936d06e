import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { maxResources } from '../release/statement.ts';
import type { HashJob } from '../threads/job.ts';
import { createThreadPool, type RunOptions, type ThreadPool } from '../threads/pool.ts';
import { asOmsError } from './io-error.ts';
import type { ModelFile } from './walk.ts';

export interface FileHash {
  readonly start: number;
  readonly end: number;
  /** SHA-256, hex. */
  readonly digest: string;
}

export interface HashOptions {
  /** Hash pieces of this many bytes apart; undefined: each file as one. An empty file has no shard, but a whole. */
  readonly shardSize: number | undefined;
  readonly allowSymlinks: boolean;
  /** 1 to 64, the calling thread included; default: one for each processor, at most 4. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes hashed so far; at most every 50 ms. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Files held open and hashed together. */
const batchSize = 256;

/**
 * Hashes files on several threads while reading them, never holding more than a piece of each. A file's size is taken
 * when it is opened; one that ends before that or goes on after it is refused. The result is in the order of `files`.
 * Errors: OMS_FILE_CHANGED, OMS_SPECIAL_FILE, OMS_LIMIT, OMS_IO, SEAL_THREADS, SEAL_CANCELLED, SEAL_IO, SEAL_WORKER.
 */
export async function hashFiles(files: readonly ModelFile[], options: HashOptions): Promise<FileHash[][]> {
  const { signal, onProgress } = options;
  await using pool = createThreadPool(options.threads);
  const hashes: FileHash[][] = [];
  let before = 0;
  for (let start = 0; start < files.length; start += batchSize) {
    const report = (bytes: number): void => onProgress?.(before + bytes);
    const batch = await hashBatch(files.slice(start, start + batchSize), options, pool, { signal, onProgress: report });
    hashes.push(...batch);
    before += batch.flat().reduce((sum, { start: from, end }) => sum + end - from, 0);
  }
  return hashes;
}

async function hashBatch(
  files: readonly ModelFile[],
  { shardSize, allowSymlinks }: HashOptions,
  pool: ThreadPool,
  run: RunOptions,
): Promise<FileHash[][]> {
  await using opened = new AsyncDisposableStack();
  const ranges: HashJob['ranges'][number][] = [];
  const sources: {
    readonly name: string;
    readonly handle: FileHandle;
    readonly size: number;
    readonly count: number;
  }[] = [];
  for (const file of files) {
    const { handle, size } = await openSource(file, allowSymlinks);
    opened.defer(() => handle.close());
    const parts = rangesOf(size, shardSize);
    ranges.push(...parts.map(({ start, end }) => ({ fd: handle.fd, start, end })));
    sources.push({ name: file.name, handle, size, count: parts.length });
  }
  const digests = new Uint8Array(new SharedArrayBuffer(ranges.length * 32));
  await pool.run({ kind: 'hash', ranges, digests }, run);
  const results: FileHash[][] = [];
  let first = 0;
  for (const { name, handle, size, count } of sources) {
    await checkEnd(name, handle, size);
    const own = ranges.slice(first, first + count);
    const offset = first;
    results.push(own.map(({ start, end }, index) => ({ start, end, digest: digestAt(digests, offset + index) })));
    first += count;
  }
  return results;
}

/** What was listed may have been exchanged since; O_NONBLOCK so that a pipe put in its place cannot hang us. */
async function openSource(file: ModelFile, allowSymlinks: boolean): Promise<{ handle: FileHandle; size: number }> {
  const noFollow = allowSymlinks ? 0 : constants.O_NOFOLLOW;
  let handle: FileHandle | undefined;
  try {
    handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK | noFollow);
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FastnessError('OMS_SPECIAL_FILE', file.name);
    return { handle, size: stats.size };
  } catch (error) {
    await handle?.close();
    throw asOmsError(error);
  }
}

function rangesOf(size: number, shardSize: number | undefined): { start: number; end: number }[] {
  if (shardSize === undefined) return [{ start: 0, end: size }];
  const count = Math.ceil(size / shardSize);
  if (count > maxResources) throw new FastnessError('OMS_LIMIT', `A file of ${count} shards.`);
  return Array.from({ length: count }, (_, index) => ({
    start: index * shardSize,
    end: Math.min((index + 1) * shardSize, size),
  }));
}

async function checkEnd(name: string, handle: FileHandle, size: number): Promise<void> {
  try {
    const { bytesRead } = await handle.read(new Uint8Array(1), 0, 1, size);
    if (bytesRead !== 0) throw new FastnessError('OMS_FILE_CHANGED', name);
  } catch (error) {
    throw asOmsError(error);
  }
}

function digestAt(digests: Uint8Array, index: number): string {
  return toHex(digests.slice(index * 32, (index + 1) * 32));
}
