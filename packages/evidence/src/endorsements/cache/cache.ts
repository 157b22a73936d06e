import { createHash } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { EndorsementItem } from '../types.ts';
import { openPrivateDirectory, readSmall, writeAtomic } from './directory.ts';
import { decodeEntry, encodeEntry } from './entry.ts';
import { createMarks, type Marks } from './marks.ts';

export interface CacheOptions {
  /** Made when it is not there; must belong to this user, and nobody else may write to it. */
  readonly directory: string;
  /**
   * 32 secret bytes, the same in every process that shares the directory. With it, entries and marks are sealed by HMAC:
   * whoever writes to the directory can delete, and no more; and documents without a vendor's signature (key sets) may be
   * kept. Absent: a digest finds damage, vendors' signatures find forgery, and unsigned documents are not kept.
   */
  readonly key?: Uint8Array;
  /** Bytes of all entries together; those used longest ago go first. Default 64 MiB. */
  readonly maxBytes?: number;
}

/** Endorsements on disk. What it returns was stored here by someone who could write here: judge it before use. */
export interface EndorsementCache {
  readonly keyed: boolean;
  readonly marks: Marks;
  /** A damaged entry is deleted and counts as none. */
  read(subject: string): Promise<EndorsementItem | undefined>;
  /** Throws ENDORSEMENT_CACHE_FAILED. */
  write(item: EndorsementItem): Promise<void>;
  drop(subject: string): Promise<void>;
}

const MAX_ENTRY = 8 << 20;
const ENTRY_NAME = /^[0-9a-f]{64}$/;
/** Temporary files of processes that died. */
const ABANDONED_MS = 3600 * 1000;

/**
 * Opens a cache. Several processes may share a directory. Throws ENDORSEMENT_CACHE_UNSAFE, ENDORSEMENT_CACHE_FAILED.
 *
 * Not protected against: whoever can write to the directory can delete entries, put back older ones that are still within
 * their period of validity, and delete the marks that would show it. Keep it where the host of a verifier cannot write.
 */
export async function openEndorsementCache(options: CacheOptions): Promise<EndorsementCache> {
  const { directory, key, maxBytes = 64 << 20 } = options;
  if (key !== undefined && key.length !== 32)
    throw new FastnessError('ENDORSEMENT_CACHE_FAILED', 'A key has 32 bytes.');
  const entries = join(directory, 'entries');
  const marks = join(directory, 'marks');
  for (const path of [directory, entries, marks]) await openPrivateDirectory(path);
  const secret = key?.slice();
  const pathOf = (subject: string) => join(entries, nameOf(subject));

  return Object.freeze<EndorsementCache>({
    keyed: secret !== undefined,
    marks: createMarks(marks, nameOf, secret),
    async read(subject) {
      const path = pathOf(subject);
      const bytes = await readSmall(path, MAX_ENTRY);
      if (bytes === undefined) return undefined;
      const item = decodeEntry(bytes, subject, secret);
      if (item === undefined) await rm(path, { force: true }).catch(() => {});
      // The time of last use; a failure only makes eviction less exact.
      else await utimes(path, new Date(), new Date()).catch(() => {});
      return item;
    },
    async write(item) {
      const entry = encodeEntry(item, secret);
      if (entry.length > Math.min(maxBytes, MAX_ENTRY)) return;
      await writeAtomic(entries, nameOf(item.subject), entry);
      await evict(entries, maxBytes);
    },
    async drop(subject) {
      await rm(pathOf(subject), { force: true }).catch(() => {});
    },
  });
}

/** Subjects come from evidence; a digest keeps them out of paths. */
function nameOf(subject: string): string {
  return createHash('sha256').update(subject).digest('hex');
}

async function evict(entries: string, maxBytes: number): Promise<void> {
  const files: { path: string; size: number; used: number }[] = [];
  const names = await readdir(entries).catch(() => []);
  for (const name of names) {
    const path = join(entries, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined) continue;
    if (ENTRY_NAME.test(name)) files.push({ path, size: facts.size, used: facts.mtimeMs });
    else if (Date.now() - facts.mtimeMs > ABANDONED_MS) await rm(path, { force: true }).catch(() => {});
  }
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of files.toSorted((a, b) => a.used - b.used)) {
    if (total <= maxBytes) return;
    await rm(path, { force: true }).catch(() => {});
    total -= size;
  }
}
