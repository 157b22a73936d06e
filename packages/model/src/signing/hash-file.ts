import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { asOmsError } from './io-error.ts';
import type { ModelFile } from './walk.ts';

/** Read at once, bytes: large enough to keep a disk busy, small enough to stay in cache. */
const pieceBytes = 256 * 1024;

export interface FileHash {
  readonly start: number;
  readonly end: number;
  /** SHA-256, hex. */
  readonly digest: string;
}

export interface HashOptions {
  /** Hash pieces of this many bytes apart; absent: the whole file as one. An empty file has no shard, but a whole. */
  readonly shardSize?: number;
  readonly allowSymlinks: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Hashes a file while reading it, never holding more than a piece. The size is taken at the start: a file that ends
 * early or goes on is refused. Errors: OMS_FILE_CHANGED, OMS_SYMLINK, OMS_SPECIAL_FILE, OMS_IO; the signal's reason.
 */
export async function hashFile(file: ModelFile, options: HashOptions): Promise<FileHash[]> {
  // What was listed may have been exchanged since; O_NONBLOCK so that a pipe put in its place cannot hang us.
  const noFollow = options.allowSymlinks ? 0 : constants.O_NOFOLLOW;
  try {
    await using handle = await open(file.path, constants.O_RDONLY | constants.O_NONBLOCK | noFollow);
    const stats = await handle.stat();
    if (!stats.isFile()) throw new FastnessError('OMS_SPECIAL_FILE', file.name);
    const { size } = stats;
    const step = options.shardSize ?? Math.max(size, 1);
    const hashes: FileHash[] = [];
    const piece = new Uint8Array(Math.min(pieceBytes, Math.max(size, 1)));
    let offset = 0;
    do {
      const start = offset;
      const end = Math.min(start + step, size);
      const hash = createHash('sha256');
      while (offset < end) {
        options.signal?.throwIfAborted();
        const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, end - offset), offset);
        if (bytesRead === 0) throw new FastnessError('OMS_FILE_CHANGED', file.name);
        hash.update(piece.subarray(0, bytesRead));
        offset += bytesRead;
      }
      if (end > start || options.shardSize === undefined) hashes.push({ start, end, digest: hash.digest('hex') });
    } while (offset < size);
    if ((await handle.read(piece, 0, 1, size)).bytesRead !== 0) throw new FastnessError('OMS_FILE_CHANGED', file.name);
    return hashes;
  } catch (error) {
    throw asOmsError(error);
  }
}
