import { FastnessError } from '@fastness/codec/errors';
import type { Kysely, Selectable } from 'kysely';
import type { BrokerTables } from './tables.ts';

export type StoredRelease = Selectable<BrokerTables['releases']>;

/**
 * Stores a release whose signature and approvals the caller verified. Registering the same release again replaces its
 * wrapped key: that is how a rotation of the wrapping key reaches the broker.
 * Throws `BROKER_RELEASE_VERSION_TAKEN`.
 */
export async function saveRelease(db: Kysely<BrokerTables>, release: StoredRelease): Promise<void> {
  const taken = await db
    .selectFrom('releases')
    .select('release_digest')
    .where('model_id', '=', release.model_id)
    .where('version', '=', release.version)
    .where('release_digest', '!=', release.release_digest)
    .executeTakeFirst();
  if (taken !== undefined) {
    throw new FastnessError('BROKER_RELEASE_VERSION_TAKEN', `Version ${release.version} is ${taken.release_digest}.`);
  }
  await db
    .insertInto('releases')
    .values(release)
    .onConflict((conflict) =>
      conflict.column('release_digest').doUpdateSet({ package: release.package, keys: release.keys }),
    )
    .execute();
}

/** Throws `BROKER_RELEASE_UNKNOWN`. */
export async function findRelease(db: Kysely<BrokerTables>, releaseDigest: string): Promise<StoredRelease> {
  const found = await db
    .selectFrom('releases')
    .selectAll()
    .where('release_digest', '=', releaseDigest)
    .executeTakeFirst();
  if (found === undefined) throw new FastnessError('BROKER_RELEASE_UNKNOWN');
  return found;
}

/** The version of a model that supersedes all lower ones; 0 when none does. */
export async function highestVersion(db: Kysely<BrokerTables>, modelId: string): Promise<number> {
  const row = await db
    .selectFrom('model_versions')
    .select('highest_version')
    .where('model_id', '=', modelId)
    .executeTakeFirst();
  return row?.highest_version ?? 0;
}

/** Raises the highest version; never lowers it. */
export async function raiseHighestVersion(db: Kysely<BrokerTables>, modelId: string, version: number): Promise<void> {
  await db
    .insertInto('model_versions')
    .values({ model_id: modelId, highest_version: version })
    .onConflict((conflict) =>
      conflict
        .column('model_id')
        .doUpdateSet({ highest_version: version })
        .where('model_versions.highest_version', '<', version),
    )
    .execute();
}

/** Raises the highest version of every model to the highest one that is registered. */
export async function raiseToRegistered(db: Kysely<BrokerTables>): Promise<void> {
  const registered = await db
    .selectFrom('releases')
    .groupBy('model_id')
    .select((expression) => ['model_id', expression.fn.max('version').as('version')])
    .execute();
  for (const { model_id, version } of registered) await raiseHighestVersion(db, model_id, version);
}
