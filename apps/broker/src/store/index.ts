import { Kysely } from 'kysely';
import { migrateGovernance } from '../lifecycle/tables.ts';
import type { DatabaseLocation } from './location.ts';
import { migrate } from './migrations.ts';
import { postgresDialect, refuseUnsafeServer } from './postgres.ts';
import { sqliteDialect } from './sqlite.ts';
import type { BrokerTables } from './tables.ts';
import { asStoreError } from './transaction.ts';

export type BrokerDatabase = Kysely<BrokerTables>;

/**
 * Opens the database of a broker (a path is a SQLite file) and brings it to the current schema. The caller holds its lock.
 * Throws `BROKER_CONFIG_INVALID`, `BROKER_STORE_DAMAGED`, `BROKER_STORE_NEWER`, and for a server `BROKER_STORE_UNSAFE`,
 * `BROKER_STORE_UNREACHABLE`, `BROKER_STORE_ACCESS`.
 */
export async function openStore(location: string | DatabaseLocation): Promise<BrokerDatabase> {
  const { kind, ...where } = typeof location === 'string' ? { kind: 'sqlite' as const, path: location } : location;
  const dialect = 'path' in where ? sqliteDialect(where.path) : await postgresDialect(where.options);
  const db = new Kysely<BrokerTables>({ dialect });
  try {
    await asStoreError(async () => {
      if (kind === 'postgres') await refuseUnsafeServer(db);
      await migrate(db);
      await migrateGovernance(db);
    });
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

export { asStoreError, inTransaction } from './transaction.ts';
export {
  checkInstanceName,
  claimInstance,
  onlyInstance,
  readAuditHead,
  saveAuditHead,
  type InstanceClaim,
} from './instance.ts';
export type { DatabaseLocation, PostgresOptionsInput } from './location.ts';
export { consumeChallenge, issueChallenge } from './challenges.ts';
export {
  deleteLease,
  extendLease,
  findRenewableLease,
  insertLease,
  isRunningLease,
  listLeases,
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
  revocationKinds,
  saveRevocation,
  type RevocationKind,
} from './revocations.ts';
