import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import type { AuditEntry } from './audit/entry.ts';
import { auditFacts, type AuditFacts } from './audit/facts.ts';
import { inTransaction, raiseHighestVersion, saveRevocation, type BrokerDatabase } from './store/index.ts';

/**
 * What the audit log knows and the database may not: the log is written first, and a database can be lost or put back from
 * a backup. Revocations and highest versions only ever grow, so they are taken over from the log at every start; a database
 * from yesterday does not bring back what was revoked today. Leases and registered releases are not: without them the
 * broker refuses, which is the safe side.
 */
export interface AuditReplay {
  /** To be given every entry of the log, in order. */
  see(entry: AuditEntry): void;
  /** Writes what was seen into the database. */
  apply(db: BrokerDatabase): Promise<void>;
}

/**
 * @param options.after the number of the last entry that the database is known to include
 * @param options.supersedeOnRegistration whether registered versions count, or only those whose key was released
 */
export function createAuditReplay(options: { after: number; supersedeOnRegistration: boolean }): AuditReplay {
  const { after, supersedeOnRegistration } = options;
  const revocations = new Map<number, AuditFacts<'revocation'> & { at: string }>();
  const versions = new Map<number, { modelId: string; version: number }>();
  return {
    see(entry) {
      if (entry.seq <= after) return;
      if (entry.kind === 'revocation') {
        revocations.set(entry.seq, { ...read(auditFacts.revocation, entry), at: entry.time });
      } else if (entry.kind === 'key-released') {
        versions.set(entry.seq, read(auditFacts['key-released'], entry));
      } else if (entry.kind === 'release-registered' && supersedeOnRegistration) {
        versions.set(entry.seq, read(auditFacts['release-registered'], entry));
      } else if (entry.kind === 'not-committed') {
        const { entry: undone } = read(auditFacts['not-committed'], entry);
        revocations.delete(undone);
        versions.delete(undone);
      }
    },
    async apply(db) {
      await inTransaction(db, async (trx) => {
        for (const { target, value, reason, at } of revocations.values()) {
          await saveRevocation(trx, { kind: target, value, reason, revokedAt: at });
        }
        for (const { modelId, version } of versions.values()) await raiseHighestVersion(trx, modelId, version);
      });
    },
  };
}

function read<T>(schema: z.ZodType<T>, entry: AuditEntry): T {
  const facts = schema.safeParse(entry.facts);
  if (!facts.success) throw new FastnessError('AUDIT_CHAIN_BROKEN', `Entry ${entry.seq}: facts of another shape.`);
  return facts.data;
}
