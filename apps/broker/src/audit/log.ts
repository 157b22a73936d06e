import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';
import { auditGenesis, encodeAuditEntry, type AuditEntry, type AuditHead } from './entry.ts';
import type { AuditFacts, AuditKind } from './facts.ts';
import { readAuditEntries, scanAuditLog, type AuditPosition } from './scan.ts';

/** The open audit log of a running broker. One process holds it at a time; the caller holds its lock. */
export interface AuditLog extends AsyncDisposable {
  /** The last entry handed to the log, on disk or on its way there. */
  readonly head: AuditHead;
  /** True once a write failed: nothing more is written, and every append throws `AUDIT_UNAVAILABLE`. */
  readonly failed: boolean;
  /** Resolves when the entry is on disk (fdatasync). Throws `AUDIT_UNAVAILABLE`, `AUDIT_FACTS_REFUSED`. */
  append<K extends AuditKind>(kind: K, facts: AuditFacts<K>): Promise<AuditHead>;
  /** Entries on disk after number `after`, oldest first, at most `limit`. */
  read(options: { after: number; limit: number }): Promise<AuditEntry[]>;
  close(): Promise<void>;
}

/** The same log, with something done around every entry that is appended. */
export function withAppend(log: AuditLog, append: AuditLog['append']): AuditLog {
  return {
    get head() {
      return log.head;
    },
    get failed() {
      return log.failed;
    },
    append,
    read: (options) => log.read(options),
    close: () => log.close(),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  };
}

/** Takes every entry a second time, in order, after it is on disk in the audit log and before anybody is told. */
export interface AuditMirror {
  append(lines: readonly Uint8Array[]): Promise<void>;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly head: AuditHead;
  readonly resolve: (head: AuditHead) => void;
  readonly reject: (error: FastnessError) => void;
}

const indexEvery = 64;

/**
 * Opens or creates the log at `path`, checking its whole chain first. An incomplete final write (bytes without the
 * newline that ends every entry, which nobody was told had been written) is cut off, and that is the next entry.
 * Any other damage throws `AUDIT_CHAIN_BROKEN`, as does a log in which `knownHead` is not to be found.
 */
export async function openAuditLog(options: {
  path: string;
  now: () => Date;
  knownHead?: AuditHead | undefined;
  onEntry?: (entry: AuditEntry, line: string) => void;
  mirror?: AuditMirror;
}): Promise<AuditLog> {
  const { path, now, knownHead, onEntry, mirror } = options;
  const file = await openDurably(path);
  try {
    const index: AuditPosition[] = [{ offset: 0, head: auditGenesis }];
    let known = knownHead === undefined || knownHead.seq === 0;
    const scan = await scanAuditLog(file, (entry, end, line) => {
      const head = { seq: entry.seq, hash: entry.hash };
      if (head.seq === knownHead?.seq && head.hash === knownHead.hash) known = true;
      if (head.seq % indexEvery === 0) index.push({ offset: end, head });
      onEntry?.(entry, line);
    });
    if (!known) {
      const found = `The database remembers entry ${knownHead?.seq}, the log ends at ${scan.head.seq} or differs there.`;
      throw new FastnessError('AUDIT_CHAIN_BROKEN', found);
    }
    if (scan.tornBytes > 0) {
      await file.truncate(scan.wholeBytes);
      await file.datasync();
    }
    const log = createLog({ file, now, head: scan.head, size: scan.wholeBytes, index, mirror });
    if (scan.tornBytes > 0) await log.append('log-recovered', { droppedBytes: scan.tornBytes });
    return log;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function createLog(state: {
  file: FileHandle;
  now: () => Date;
  head: AuditHead;
  size: number;
  index: AuditPosition[];
  mirror: AuditMirror | undefined;
}): AuditLog {
  const { file, now, index, mirror } = state;
  let { head, size } = state;
  let queue: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let failure: FastnessError | undefined;
  let closed = false;

  // Entries that arrive while the disk is busy share the next write and the next fdatasync.
  const drain = async (): Promise<void> => {
    for (;;) {
      // Whoever was waiting for the last write may append again before the next one begins.
      await nextTurn();
      if (queue.length === 0) {
        // In the same turn as the check: an append that comes later must start a new drain.
        writing = undefined;
        return;
      }
      const batch = queue;
      queue = [];
      try {
        await writeAll(file, Buffer.concat(batch.map((waiting) => waiting.bytes)), size);
        await file.datasync();
        // Without the newline that ends a line of the file.
        await mirror?.append(batch.map(({ bytes }) => bytes.subarray(0, -1)));
      } catch (cause) {
        // What reached the disk is unknown now, and a second fsync may lie about it: only a restart can tell.
        failure = new FastnessError('AUDIT_UNAVAILABLE', undefined, { cause });
        for (const waiting of [...batch, ...queue]) waiting.reject(failure);
        queue = [];
        writing = undefined;
        return;
      }
      for (const waiting of batch) {
        size += waiting.bytes.length;
        if (waiting.head.seq % indexEvery === 0) index.push({ offset: size, head: waiting.head });
        waiting.resolve(waiting.head);
      }
    }
  };

  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await writing;
    await file.close();
  };

  return {
    get head() {
      return head;
    },
    get failed() {
      return failure !== undefined;
    },
    async append(kind, facts) {
      if (failure !== undefined) throw failure;
      if (closed) throw new FastnessError('AUDIT_UNAVAILABLE', 'The log is closed.');
      const next = encodeAuditEntry(head, now(), kind, facts);
      head = next.head;
      const written = new Promise<AuditHead>((resolve, reject) => {
        queue.push({ bytes: Buffer.from(`${next.line}\n`, 'utf8'), head: next.head, resolve, reject });
      });
      writing ??= drain();
      return await written;
    },
    async read({ after, limit }) {
      const start = index.findLast((position) => position.head.seq <= after) ?? { offset: 0, head: auditGenesis };
      const entries: AuditEntry[] = [];
      for await (const { entry } of readAuditEntries(file, start, size)) {
        if (entry.seq > after) entries.push(entry);
        if (entries.length >= limit) break;
      }
      return entries;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** A new file is on disk only when its directory is. */
async function openDurably(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  await using directory = await open(dirname(path), 'r');
  await directory.sync();
  return file;
}
