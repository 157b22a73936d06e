import { FastnessError } from '@fastness/codec/errors';
import { Kysely } from 'kysely';
import type { AuditHead } from '../audit/entry.ts';
import { migrate } from './migrations.ts';
import { sqliteDialect } from './sqlite.ts';
import type { BrokerTables } from './tables.ts';

export type BrokerDatabase = Kysely<BrokerTables>;

/** Opens the database of a broker and brings it to the current schema. The caller holds its lock. */
export async function openStore(path: string): Promise<BrokerDatabase> {
  const db = new Kysely<BrokerTables>({ dialect: sqliteDialect(path) });
  try {
    await migrate(db);
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/** The last audit entry that a committed transaction depends on; undefined in a new database. */
export async function readAuditHead(db: BrokerDatabase): Promise<AuditHead | undefined> {
  return await db.selectFrom('audit_head').select(['seq', 'hash']).where('id', '=', 1).executeTakeFirst();
}

/**
 * Remembers an audit entry together with the change it belongs to. At the next start the log must contain it: a log that
 * was cut back behind it is found, even though its own chain is whole.
 */
export async function saveAuditHead(db: BrokerDatabase, head: AuditHead): Promise<void> {
  await db
    .insertInto('audit_head')
    .values({ id: 1, seq: head.seq, hash: head.hash })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ seq: head.seq, hash: head.hash }))
    .execute();
}

/**
 * Runs `work` in one transaction: its writes happen all or not at all. Errors of the database become `BROKER_STORE`;
 * Fastness's own errors pass. The caller appends its audit entry inside, before the commit.
 */
export async function inTransaction<T>(db: BrokerDatabase, work: (trx: BrokerDatabase) => Promise<T>): Promise<T> {
  return await asStoreError(() => db.transaction().execute(work));
}

/** Turns errors of the database into `BROKER_STORE`. */
export async function asStoreError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('BROKER_STORE', undefined, { cause });
  }
}

export { consumeChallenge, issueChallenge } from './challenges.ts';
export {
  deleteLease,
  extendLease,
  findRenewableLease,
  insertLease,
  isRunningLease,
  listLeases,
  runningLeases,
  type LeaseHolder,
  type StoredLease,
} from './leases.ts';
export {
  findRelease,
  highestVersion,
  raiseHighestVersion,
  raiseToRegistered,
  saveRelease,
  type StoredRelease,
} from './releases.ts';
export {
  canonicalRevocation,
  refuseRevoked,
  saveRevocation,
  type Revocation,
  type RevocationKind,
} from './revocations.ts';
