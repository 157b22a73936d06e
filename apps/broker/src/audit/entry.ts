import { createHash } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { auditFacts, isAuditKind, type AuditFacts, type AuditKind } from './facts.ts';

/** Where a chain stands: the number of its last entry and that entry's hash (64 hex digits). */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

/** One entry as written: a line of JSON whose last member is the hash over everything before it. */
export const auditEntrySchema = z.strictObject({
  seq: z.int().positive(),
  time: z.iso.datetime({ precision: 3 }),
  kind: z.custom<AuditKind>(isAuditKind),
  /** Closed per kind when written, see `auditFacts`; read as they are, for a later version may have written more. */
  facts: z.record(z.string(), z.unknown()),
  prevHash: z.string().regex(/^[0-9a-f]{64}$/),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** The head of an empty log. */
export const auditGenesis: AuditHead = Object.freeze({ seq: 0, hash: '0'.repeat(64) });

/** The longest line, newline included, that a log may hold. */
export const auditLineLimit = 16_384;

const label = 'fastness/audit-entry/v1\n';
const hashMember = /^(\{"seq":[1-9]\d{0,15},.*),"hash":"([0-9a-f]{64})"\}$/s;

/**
 * Writes the line (without its newline) of the entry that follows `previous`.
 * Throws `AUDIT_FACTS_REFUSED` when `facts` hold anything that the schema of `kind` does not name.
 */
export function encodeAuditEntry<K extends AuditKind>(
  previous: AuditHead,
  time: Date,
  kind: K,
  facts: AuditFacts<K>,
): { line: string; head: AuditHead } {
  const checked = auditFacts[kind].safeParse(facts);
  if (!checked.success) {
    // The paths only: the values are what must not get out.
    const paths = checked.error.issues.map((issue) => issue.path.join('.') || issue.code);
    throw new FastnessError('AUDIT_FACTS_REFUSED', `Kind ${kind}: ${paths.join(', ')}.`);
  }
  const seq = previous.seq + 1;
  const body = JSON.stringify({
    seq,
    time: time.toISOString(),
    kind,
    facts: checked.data,
    prevHash: previous.hash,
  }).slice(0, -1);
  const hash = hashOf(body);
  const line = `${body},"hash":"${hash}"}`;
  if (Buffer.byteLength(line) >= auditLineLimit)
    throw new FastnessError('AUDIT_FACTS_REFUSED', `Kind ${kind}: too long.`);
  return { line, head: { seq, hash } };
}

/**
 * Reads one line and checks that it follows `previous`: number, previous hash and own hash.
 * The hash covers the bytes as written, so a later version may add kinds or facts without breaking old logs.
 * Throws `AUDIT_CHAIN_BROKEN`.
 */
export function decodeAuditEntry(line: string, previous: AuditHead): AuditEntry {
  const broken = (what: string): FastnessError =>
    new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${previous.seq + 1}: ${what}.`);
  const split = hashMember.exec(line);
  if (split?.[1] === undefined) throw broken('not an entry');
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw broken('not JSON');
  }
  const parsed = auditEntrySchema.safeParse(value);
  if (!parsed.success) throw broken('not an entry');
  const entry = parsed.data;
  if (entry.seq !== previous.seq + 1) throw broken(`numbered ${entry.seq}`);
  if (entry.prevHash !== previous.hash) throw broken('does not follow the entry before it');
  if (hashOf(split[1]) !== entry.hash || split[2] !== entry.hash) throw broken('its hash does not match its content');
  return entry;
}

function hashOf(body: string): string {
  return createHash('sha256').update(label).update(body, 'utf8').digest('hex');
}
