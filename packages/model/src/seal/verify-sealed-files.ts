import { join } from 'node:path';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { unsignedFiles } from '../package-files.ts';
import { parseShardName, type Resource } from '../release/statement.ts';
import { listModelFiles, type ModelFile } from '../signing/walk.ts';
import type { HashJob } from '../threads/job.ts';
import { createThreadPool, type ThreadPool } from '../threads/pool.ts';
import { openRegularFile, type RegularFile } from './regular-file.ts';

export interface VerifySealedFilesOptions {
  /** The sealed model. */
  readonly dir: string;
  /** What the owner signed (`verifyRelease(...).resources`): names with SHA-256 in hex. */
  readonly resources: readonly Resource[];
  /** How the resources were made: one for each file, or for each shard of a file. Default "files". */
  readonly method?: 'files' | 'shards';
  /** 1 to 64, the calling thread included; default: one for each processor, at most 4. Ignored when `pool` is given. */
  readonly threads?: number;
  readonly pool?: ThreadPool;
  readonly signal?: AbortSignal;
  /** Bytes of ciphertext hashed and to hash; at most every 50 ms, and at the end. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Files held open and hashed together. */
const batchSize = 256;

/**
 * Compares the files of a sealed model with what its owner signed: all are there, none is more, each has its digest.
 * What it says holds for the moment of hashing. A file exchanged afterwards still does not open: FLOE authenticates
 * every segment as it is read, under keys that only this sealing has.
 * Errors: OMS_MISSING_FILE, OMS_UNSIGNED_FILE, OMS_DIGEST_MISMATCH, OMS_SYMLINK, OMS_SPECIAL_FILE, OMS_RESOURCE_NAME,
 * OMS_FILE_CHANGED, SEAL_THREADS, SEAL_CANCELLED, SEAL_IO, SEAL_WORKER.
 */
export async function verifySealedFiles(options: VerifySealedFilesOptions): Promise<void> {
  const { dir, resources, method = 'files', signal, onProgress } = options;
  const wanted = rangesByFile(resources, method);
  const files = await listModelFiles(dir, { ignorePaths: unsignedFiles, allowSymlinks: false });
  checkSame(wanted, files);
  const pool = options.pool ?? createThreadPool(options.threads);
  try {
    const sizes = await fileSizes(dir, wanted);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let before = 0;
    const entries = [...wanted];
    for (let start = 0; start < entries.length; start += batchSize) {
      const report = (bytes: number): void => onProgress?.(before + bytes, total);
      await hashBatch(dir, entries.slice(start, start + batchSize), { pool, signal, report });
      before += sizes.slice(start, start + batchSize).reduce((sum, size) => sum + size, 0);
    }
  } finally {
    if (pool !== options.pool) await pool[Symbol.asyncDispose]();
  }
}

/** A digest over part of a file; `end` undefined stands for the whole file. */
interface SignedRange {
  readonly name: string;
  readonly digest: string;
  readonly start: number;
  readonly end: number | undefined;
}

type FileRanges = readonly [path: string, ranges: readonly SignedRange[]];

function rangesByFile(resources: readonly Resource[], method: 'files' | 'shards'): Map<string, SignedRange[]> {
  const byFile = new Map<string, SignedRange[]>();
  for (const { name, digest } of resources) {
    const shard = method === 'shards' ? parseShardName(name) : { path: name, start: 0, end: undefined };
    const ranges = byFile.get(shard.path) ?? [];
    // Shards of a file follow one another without gap; a second entry for a whole file would be a gap, too.
    const expected = ranges.length === 0 ? 0 : ranges.at(-1)?.end;
    if (shard.start !== expected) throw new FastnessError('OMS_RESOURCE_NAME', 'The shards of a file leave a gap.');
    ranges.push({ name, digest, start: shard.start, end: shard.end });
    byFile.set(shard.path, ranges);
  }
  return byFile;
}

function checkSame(wanted: ReadonlyMap<string, unknown>, files: readonly ModelFile[]): void {
  const present = new Set(files.map(({ name }) => name));
  const missing = [...wanted.keys()].find((name) => !present.has(name));
  if (missing !== undefined) throw new FastnessError('OMS_MISSING_FILE', JSON.stringify(missing));
  const unsigned = files.find(({ name }) => !wanted.has(name));
  if (unsigned !== undefined) throw new FastnessError('OMS_UNSIGNED_FILE', JSON.stringify(unsigned.name));
}

async function fileSizes(dir: string, wanted: ReadonlyMap<string, unknown>): Promise<number[]> {
  const sizes: number[] = [];
  for (const path of wanted.keys()) {
    await using file = await openRegularFile(join(dir, path), 'OMS_MISSING_FILE');
    sizes.push(file.size);
  }
  return sizes;
}

async function hashBatch(
  dir: string,
  batch: readonly FileRanges[],
  run: {
    readonly pool: ThreadPool;
    readonly signal: AbortSignal | undefined;
    readonly report: (bytes: number) => void;
  },
): Promise<void> {
  await using open = new AsyncDisposableStack();
  const signed: SignedRange[] = [];
  const ranges: HashJob['ranges'][number][] = [];
  for (const [path, ofFile] of batch) {
    const file = open.use(await openRegularFile(join(dir, path), 'OMS_MISSING_FILE'));
    for (const range of ofFile)
      ranges.push({ fd: file.handle.fd, start: range.start, end: endOf(range, ofFile, file) });
    signed.push(...ofFile);
  }
  const digests = new Uint8Array(new SharedArrayBuffer(ranges.length * 32));
  await run.pool.run({ kind: 'hash', ranges, digests }, { signal: run.signal, onProgress: run.report });
  for (const [index, { name, digest }] of signed.entries()) {
    if (toHex(digests.slice(index * 32, index * 32 + 32)) !== digest) {
      throw new FastnessError('OMS_DIGEST_MISMATCH', JSON.stringify(name));
    }
  }
}

/** The last shard ends where the file does: a longer file has bytes that nobody signed. */
function endOf(range: SignedRange, ofFile: readonly SignedRange[], { size }: RegularFile): number {
  const end = range.end ?? size;
  const isLast = range === ofFile.at(-1);
  if (end > size || (isLast && end !== size))
    throw new FastnessError('OMS_DIGEST_MISMATCH', JSON.stringify(range.name));
  return end;
}
