import { FastnessError } from '@fastness/codec/errors';
import type { Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';

/** Numbered, never edited once published; a change of the schema is a new number. */
const migrations: Readonly<Record<string, Migration>> = Object.freeze({
  '0001-broker': {
    async up(db) {
      await db.schema
        .createTable('challenges')
        .addColumn('nonce_digest', 'varchar(64)', (column) => column.primaryKey())
        .addColumn('issued_at', 'varchar(24)', (column) => column.notNull())
        .addColumn('expires_at', 'varchar(24)', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('challenges_expires_at').on('challenges').column('expires_at').execute();
      await db.schema
        .createTable('spent_challenges')
        .addColumn('nonce_digest', 'varchar(64)', (column) => column.primaryKey())
        .addColumn('spent_at', 'varchar(24)', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('spent_challenges_spent_at').on('spent_challenges').column('spent_at').execute();
      await db.schema
        .createTable('releases')
        .addColumn('release_digest', 'varchar(64)', (column) => column.primaryKey())
        .addColumn('model_id', 'varchar(256)', (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('package', 'text', (column) => column.notNull())
        .addColumn('keys', 'text', (column) => column.notNull())
        .addColumn('registered_at', 'varchar(24)', (column) => column.notNull())
        .addUniqueConstraint('releases_model_version', ['model_id', 'version'])
        .execute();
      await db.schema
        .createTable('model_versions')
        .addColumn('model_id', 'varchar(256)', (column) => column.primaryKey())
        .addColumn('highest_version', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('leases')
        .addColumn('lease_id', 'varchar(32)', (column) => column.primaryKey())
        .addColumn('release_digest', 'varchar(64)', (column) =>
          column.notNull().references('releases.release_digest').onDelete('restrict'),
        )
        .addColumn('key_config_digest', 'varchar(64)', (column) => column.notNull())
        .addColumn('tee', 'varchar(64)', (column) => column.notNull())
        .addColumn('simulated', 'integer', (column) => column.notNull())
        .addColumn('measurement', 'varchar(96)', (column) => column.notNull())
        .addColumn('platform', 'varchar(160)', (column) => column.notNull())
        .addColumn('issued_at', 'varchar(24)', (column) => column.notNull())
        .addColumn('renewed_at', 'varchar(24)', (column) => column.notNull())
        .addColumn('expires_at', 'varchar(24)', (column) => column.notNull())
        .addColumn('renewals', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('leases_expires_at').on('leases').column('expires_at').execute();
      await db.schema
        .createTable('revocations')
        .addColumn('kind', 'varchar(16)', (column) => column.notNull())
        .addColumn('value', 'varchar(160)', (column) => column.notNull())
        .addColumn('reason', 'text', (column) => column.notNull())
        .addColumn('revoked_at', 'varchar(24)', (column) => column.notNull())
        .addPrimaryKeyConstraint('revocations_primary_key', ['kind', 'value'])
        .execute();
      await db.schema
        .createTable('audit_head')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('seq', 'bigint', (column) => column.notNull())
        .addColumn('hash', 'varchar(64)', (column) => column.notNull())
        .execute();
    },
  },
});

/** Brings the database to the schema of this version. Throws `BROKER_STORE_NEWER`, `BROKER_STORE_DAMAGED`. */
export async function migrate<T>(db: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } });
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((id) => !Object.hasOwn(migrations, id));
  if (unknown.length > 0) throw new FastnessError('BROKER_STORE_NEWER', `Schema: ${unknown.join(', ')}.`);
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined)
    throw new FastnessError('BROKER_STORE_DAMAGED', 'Its schema is not the expected one.', { cause: error });
}

async function appliedMigrations<T>(db: Kysely<T>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) {
    if (tables.length > 0) throw new FastnessError('BROKER_STORE_DAMAGED', 'It holds the tables of something else.');
    return [];
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- kysely's own table, outside our schema type
  const internal = db as unknown as Kysely<{ kysely_migration: { name: string } }>;
  const rows = await internal.selectFrom('kysely_migration').select('name').execute();
  return rows.map((row) => row.name);
}
