import { randomBytes } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import type { Kysely } from 'kysely';
import type { AuditHead } from '../audit/entry.ts';
import type { BrokerTables } from './tables.ts';

/** The name of a broker that has its database for itself. */
export const onlyInstance = 'default';

/**
 * A running broker's hold on its name. Brokers that share a database have a name and an audit log each; what a broker
 * records goes with the head of its own log, and only while it holds its name.
 */
export interface InstanceClaim {
  readonly instance: string;
  /** Made anew at every start: a broker that was thought dead and replaced records nothing more. */
  readonly holder: string;
}

/** Throws `BROKER_CONFIG_INVALID`. */
export function checkInstanceName(name: string): string {
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(name)) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'instance: expected up to 63 of a-z, 0-9, "." and "-".');
  }
  return name;
}

/** The last audit entry of an instance that a committed transaction depends on; undefined for a new instance. */
export async function readAuditHead(
  db: Kysely<BrokerTables>,
  instance: string = onlyInstance,
): Promise<AuditHead | undefined> {
  return await db.selectFrom('audit_heads').select(['seq', 'hash']).where('instance', '=', instance).executeTakeFirst();
}

/** Takes an instance's name from whoever had it, with the head of its log. The caller holds its lock. */
export async function claimInstance(
  db: Kysely<BrokerTables>,
  instance: string,
  head: AuditHead,
): Promise<InstanceClaim> {
  const holder = randomBytes(16).toString('hex');
  const { seq, hash } = head;
  await db
    .insertInto('audit_heads')
    .values({ instance, seq, hash, holder })
    .onConflict((conflict) => conflict.column('instance').doUpdateSet({ seq, hash, holder }))
    .execute();
  return { instance, holder };
}

/**
 * Remembers an audit entry together with the change it belongs to. At the next start the log must contain it: a log that
 * was cut back behind it is found, even though its own chain is whole.
 * Throws `BROKER_LOCKED` when another process has taken over the instance's name.
 */
export async function saveAuditHead(db: Kysely<BrokerTables>, claim: InstanceClaim, head: AuditHead): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('audit_heads')
    .set({ seq: head.seq, hash: head.hash })
    .where('instance', '=', claim.instance)
    .where('holder', '=', claim.holder)
    .where('seq', '<', head.seq)
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) {
    throw new FastnessError('BROKER_LOCKED', `Another process took over the instance ${claim.instance}.`);
  }
}
