import { open, type FileHandle } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { auditGenesis, auditLineLimit, decodeAuditEntry, type AuditEntry, type AuditHead } from './entry.ts';

/** What reading a whole log found. */
export interface AuditScan {
  readonly head: AuditHead;
  /** Bytes of the whole entries; anything after them is an incomplete final write. */
  readonly wholeBytes: number;
  readonly tornBytes: number;
}

/** Entries at a position, for paging without reading the log from its start. */
export interface AuditPosition {
  readonly offset: number;
  readonly head: AuditHead;
}

const chunkSize = 256 * 1024;

/**
 * Reads the entries from `from` on, checking the chain, and yields each with the offset at which it ends.
 * Bytes after the last newline are no entry and are left to the caller. Throws `AUDIT_CHAIN_BROKEN`.
 */
export async function* readAuditEntries(
  file: FileHandle,
  from: AuditPosition,
  until: number,
): AsyncGenerator<{ entry: AuditEntry; end: number; line: string }> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let previous = from.head;
  let offset = from.offset;
  let rest = Buffer.alloc(0);
  for (let position = from.offset; position < until;) {
    const chunk = Buffer.alloc(Math.min(chunkSize, until - position));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    for (let newline = rest.indexOf(10); newline !== -1; newline = rest.indexOf(10)) {
      let line: string;
      try {
        line = decoder.decode(rest.subarray(0, newline));
      } catch (cause) {
        throw new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${previous.seq + 1}: not UTF-8.`, { cause });
      }
      const entry = decodeAuditEntry(line, previous);
      offset += newline + 1;
      rest = rest.subarray(newline + 1);
      previous = { seq: entry.seq, hash: entry.hash };
      yield { entry, end: offset, line };
    }
    if (rest.length > auditLineLimit) {
      throw new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${previous.seq + 1}: longer than an entry may be.`);
    }
  }
}

/** Checks a whole open log and says where it ends. */
export async function scanAuditLog(
  file: FileHandle,
  onEntry?: (entry: AuditEntry, end: number, line: string) => void,
): Promise<AuditScan> {
  const { size } = await file.stat();
  let head = auditGenesis;
  let wholeBytes = 0;
  for await (const { entry, end, line } of readAuditEntries(file, { offset: 0, head: auditGenesis }, size)) {
    head = { seq: entry.seq, hash: entry.hash };
    wholeBytes = end;
    onEntry?.(entry, end, line);
  }
  return { head, wholeBytes, tornBytes: size - wholeBytes };
}

/**
 * Checks the chain of a log file from its first entry to its last, without changing it; a broker may be writing it.
 * `expectedHead`, when given, must be an entry of this log: a log cut behind an entry that somebody remembers is found.
 * Throws `AUDIT_CHAIN_BROKEN`.
 *
 * The chain shows edits, insertions and removals inside a log. Whoever can rewrite the whole file and knows no
 * remembered head can forge a whole new chain: keep heads elsewhere (the broker keeps one in its database).
 */
export async function verifyAuditLog(path: string, expectedHead?: AuditHead): Promise<AuditScan> {
  await using file = await open(path, 'r');
  let seen = expectedHead === undefined || expectedHead.seq === 0;
  const scan = await scanAuditLog(file, (entry) => {
    if (entry.seq === expectedHead?.seq && entry.hash === expectedHead.hash) seen = true;
  });
  if (!seen) throw new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${expectedHead?.seq} is missing or another one.`);
  return scan;
}
