import { FastnessError } from '@fastness/codec/errors';
import type { WrappedKey } from '@fastness/keys';
import type { Selectable } from 'kysely';
import type { BrokerDatabase } from '../store/index.ts';
import { governed, type GovernanceTables } from './tables.ts';

export type WrappingKey = Selectable<GovernanceTables['wrapping_keys']>;

/** What is known of a wrapping key; one that nobody touched is enabled, from version 1 on. */
export async function readWrappingKey(db: BrokerDatabase, keyId: string): Promise<WrappingKey> {
  const row = await governed(db).selectFrom('wrapping_keys').selectAll().where('key_id', '=', keyId).executeTakeFirst();
  return (
    row ?? {
      key_id: keyId,
      minimum_version: 1,
      state: 'enabled',
      destroy_at: null,
      rotated_at: null,
      rotation_target: null,
    }
  );
}

export async function listWrappingKeys(db: BrokerDatabase): Promise<WrappingKey[]> {
  return await governed(db).selectFrom('wrapping_keys').selectAll().orderBy('key_id').execute();
}

/** Changes some columns of a key's row, making it first. */
export async function changeWrappingKey(
  db: BrokerDatabase,
  keyId: string,
  change: Partial<Omit<WrappingKey, 'key_id'>>,
): Promise<void> {
  const before = await readWrappingKey(db, keyId);
  await governed(db)
    .insertInto('wrapping_keys')
    .values({ ...before, ...change })
    .onConflict((conflict) => conflict.column('key_id').doUpdateSet(change))
    .execute();
}

/**
 * Moves a key from one of `from` to another state; false when it was in none of them. The row's state is compared in the
 * update itself, so that of two brokers on one database one succeeds.
 */
export async function moveWrappingKey(
  db: BrokerDatabase,
  keyId: string,
  from: readonly WrappingKey['state'][],
  change: Partial<Omit<WrappingKey, 'key_id'>> & Pick<WrappingKey, 'state'>,
): Promise<boolean> {
  const row = await readWrappingKey(db, keyId);
  await governed(db)
    .insertInto('wrapping_keys')
    .values(row)
    .onConflict((conflict) => conflict.column('key_id').doNothing())
    .execute();
  const { numUpdatedRows } = await governed(db)
    .updateTable('wrapping_keys')
    .set(change)
    .where('key_id', '=', keyId)
    .where('state', 'in', [...from])
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * Refuses what was wrapped by a key out of use or by one of its versions below the minimum.
 * Throws `LIFECYCLE_VERSION_BELOW_MINIMUM`, `LIFECYCLE_KEY_DISABLED`, `LIFECYCLE_KEY_DESTROYED`.
 */
export async function refuseUnusable(
  db: BrokerDatabase,
  { keyId, keyVersion }: Pick<WrappedKey, 'keyId' | 'keyVersion'>,
): Promise<void> {
  const { state, minimum_version: minimum } = await readWrappingKey(db, keyId);
  if (state === 'destroying' || state === 'destroyed') throw new FastnessError('LIFECYCLE_KEY_DESTROYED', keyId);
  if (state !== 'enabled') throw new FastnessError('LIFECYCLE_KEY_DISABLED', `${keyId}: ${state}.`);
  if (keyVersion < minimum) {
    throw new FastnessError('LIFECYCLE_VERSION_BELOW_MINIMUM', `${keyId}: version ${keyVersion}, minimum ${minimum}.`);
  }
}
