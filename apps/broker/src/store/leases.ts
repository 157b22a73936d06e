import { FastnessError } from '@fastness/codec/errors';
import type { Kysely, Selectable } from 'kysely';
import type { BrokerTables } from './tables.ts';

export type StoredLease = Selectable<BrokerTables['leases']>;

/** What a renewal must have in common with the lease it renews. */
export interface LeaseHolder {
  readonly releaseDigest: string;
  readonly keyConfigDigest: string;
  readonly measurement: string;
  readonly platform: string;
  readonly simulated: boolean;
}

/** Expired leases are kept for a day, to say "expired" rather than "unknown". The audit log keeps them for good. */
const rememberMs = 24 * 3_600_000;

export async function insertLease(db: Kysely<BrokerTables>, lease: StoredLease): Promise<void> {
  const forget = new Date(Date.parse(lease.issued_at) - rememberMs).toISOString();
  await db.deleteFrom('leases').where('expires_at', '<', forget).execute();
  await db.insertInto('leases').values(lease).execute();
}

/**
 * The running lease that `holder` may renew. Throws `BROKER_LEASE_UNKNOWN`, `BROKER_LEASE_EXPIRED`,
 * `BROKER_LEASE_RELEASE`, `BROKER_LEASE_KEY_CONFIG`, `BROKER_LEASE_PLATFORM`.
 */
export async function findRenewableLease(
  db: Kysely<BrokerTables>,
  leaseId: string,
  holder: LeaseHolder,
  now: Date,
): Promise<StoredLease> {
  const lease = await db.selectFrom('leases').selectAll().where('lease_id', '=', leaseId).executeTakeFirst();
  if (lease === undefined) throw new FastnessError('BROKER_LEASE_UNKNOWN');
  if (lease.release_digest !== holder.releaseDigest) throw new FastnessError('BROKER_LEASE_RELEASE');
  if (lease.key_config_digest !== holder.keyConfigDigest) throw new FastnessError('BROKER_LEASE_KEY_CONFIG');
  const samePlace = lease.platform === holder.platform && lease.measurement === holder.measurement;
  if (!samePlace || (lease.simulated === 1) !== holder.simulated) throw new FastnessError('BROKER_LEASE_PLATFORM');
  if (lease.expires_at <= now.toISOString()) {
    throw new FastnessError('BROKER_LEASE_EXPIRED', `It expired at ${lease.expires_at}.`);
  }
  return lease;
}

/** Whether somebody holds this lease now. Says nothing about who asks. */
export async function isRunningLease(db: Kysely<BrokerTables>, leaseId: string, now: Date): Promise<boolean> {
  const lease = await db
    .selectFrom('leases')
    .select('lease_id')
    .where('lease_id', '=', leaseId)
    .where('expires_at', '>', now.toISOString())
    .executeTakeFirst();
  return lease !== undefined;
}

export async function extendLease(
  db: Kysely<BrokerTables>,
  leaseId: string,
  change: { renewedAt: string; expiresAt: string; renewals: number },
): Promise<void> {
  await db
    .updateTable('leases')
    .set({ renewed_at: change.renewedAt, expires_at: change.expiresAt, renewals: change.renewals })
    .where('lease_id', '=', leaseId)
    .execute();
}

/** Removes a lease whose key did not leave after all. */
export async function deleteLease(db: Kysely<BrokerTables>, leaseId: string): Promise<void> {
  await db.deleteFrom('leases').where('lease_id', '=', leaseId).execute();
}

/** Leases in the order of their ids, after `after`, at most `limit`; `running` leaves out the expired ones. */
export async function listLeases(
  db: Kysely<BrokerTables>,
  options: { after: string; limit: number; running: boolean; now: Date },
): Promise<StoredLease[]> {
  let query = db.selectFrom('leases').selectAll().where('lease_id', '>', options.after);
  if (options.running) query = query.where('expires_at', '>', options.now.toISOString());
  return await query.orderBy('lease_id').limit(options.limit).execute();
}
