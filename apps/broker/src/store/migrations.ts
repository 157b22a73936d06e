import { FastnessError } from '@fastness/codec/errors';
import { sql, type ColumnDataType, type Expression, type Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import { storeError } from './errors.ts';
import { isPostgres } from './transaction.ts';

/**
 * The type of a text column. SQLite compares bytes and enforces no length. On PostgreSQL the order must not depend on the
 * language of the server (times and ids are compared as text), and lengths are the business of who writes.
 */
function textOf<T>(db: Kysely<T>): (length: number) => ColumnDataType | Expression<unknown> {
  return isPostgres(db) ? () => sql`text collate "C"` : (length) => `varchar(${length})`;
}

/**
 * Numbered, never edited once published; a change of the schema is a new number. The same tables and columns on every
 * database.
 */
const migrations: Readonly<Record<string, Migration>> = Object.freeze({
  '0001-broker': {
    async up(db) {
      const text = textOf(db);
      await db.schema
        .createTable('challenges')
        .addColumn('nonce_digest', text(64), (column) => column.primaryKey())
        .addColumn('issued_at', text(24), (column) => column.notNull())
        .addColumn('expires_at', text(24), (column) => column.notNull())
        .execute();
      await db.schema.createIndex('challenges_expires_at').on('challenges').column('expires_at').execute();
      await db.schema
        .createTable('spent_challenges')
        .addColumn('nonce_digest', text(64), (column) => column.primaryKey())
        .addColumn('spent_at', text(24), (column) => column.notNull())
        .execute();
      await db.schema.createIndex('spent_challenges_spent_at').on('spent_challenges').column('spent_at').execute();
      await db.schema
        .createTable('releases')
        .addColumn('release_digest', text(64), (column) => column.primaryKey())
        .addColumn('model_id', text(256), (column) => column.notNull())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .addColumn('package', 'text', (column) => column.notNull())
        .addColumn('keys', 'text', (column) => column.notNull())
        .addColumn('registered_at', text(24), (column) => column.notNull())
        .addUniqueConstraint('releases_model_version', ['model_id', 'version'])
        .execute();
      await db.schema
        .createTable('model_versions')
        .addColumn('model_id', text(256), (column) => column.primaryKey())
        .addColumn('highest_version', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('leases')
        .addColumn('lease_id', text(32), (column) => column.primaryKey())
        .addColumn('release_digest', text(64), (column) =>
          column.notNull().references('releases.release_digest').onDelete('restrict'),
        )
        .addColumn('key_config_digest', text(64), (column) => column.notNull())
        .addColumn('tee', text(64), (column) => column.notNull())
        .addColumn('simulated', 'integer', (column) => column.notNull())
        .addColumn('measurement', text(96), (column) => column.notNull())
        .addColumn('platform', text(160), (column) => column.notNull())
        .addColumn('issued_at', text(24), (column) => column.notNull())
        .addColumn('renewed_at', text(24), (column) => column.notNull())
        .addColumn('expires_at', text(24), (column) => column.notNull())
        .addColumn('renewals', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema.createIndex('leases_expires_at').on('leases').column('expires_at').execute();
      await db.schema
        .createTable('revocations')
        .addColumn('kind', text(16), (column) => column.notNull())
        .addColumn('value', text(160), (column) => column.notNull())
        .addColumn('reason', 'text', (column) => column.notNull())
        .addColumn('revoked_at', text(24), (column) => column.notNull())
        .addPrimaryKeyConstraint('revocations_primary_key', ['kind', 'value'])
        .execute();
      await db.schema
        .createTable('audit_head')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('seq', 'bigint', (column) => column.notNull())
        .addColumn('hash', text(64), (column) => column.notNull())
        .execute();
    },
  },
  '0002-instances-and-anchors': {
    async up(db) {
      const text = textOf(db);
      await db.schema
        .createTable('audit_heads')
        .addColumn('instance', text(63), (column) => column.primaryKey())
        .addColumn('seq', 'bigint', (column) => column.notNull())
        .addColumn('hash', text(64), (column) => column.notNull())
        .addColumn('holder', text(32), (column) => column.notNull())
        .execute();
      await sql`insert into audit_heads (instance, seq, hash, holder) select 'default', seq, hash, '' from audit_head where id = 1`.execute(
        db,
      );
      await db.schema.dropTable('audit_head').execute();
      await db.schema
        .createTable('anchors')
        .addColumn('name', text(128), (column) => column.primaryKey())
        .addColumn('value', 'bigint', (column) => column.notNull())
        .execute();
    },
  },
  // Nothing of a broker was ever in them: what keeps a state from being put back is not kept with that state.
  '0003-no-anchors': {
    async up(db) {
      await db.schema.dropTable('anchors').execute();
    },
  },
});

/**
 * Brings the database to the schema of this version. Of several brokers that start at once, one does it and the others
 * wait. Throws `BROKER_STORE_NEWER`, `BROKER_STORE_DAMAGED`.
 */
export async function migrate<T>(db: Kysely<T>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } });
  const applied = await appliedMigrations(db);
  const unknown = applied.filter((id) => !Object.hasOwn(migrations, id));
  if (unknown.length > 0) throw new FastnessError('BROKER_STORE_NEWER', `Schema: ${unknown.join(', ')}.`);
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const failed = storeError(error);
  if (failed.code !== 'BROKER_STORE') throw failed;
  throw new FastnessError('BROKER_STORE_DAMAGED', 'Its schema is not the expected one.', { cause: error });
}

async function appliedMigrations<T>(db: Kysely<T>): Promise<string[]> {
  const schema = isPostgres(db) ? await currentSchema(db) : undefined;
  const tables = (await db.introspection.getTables({ withInternalKyselyTables: true })).filter(
    (table) => schema === undefined || table.schema === schema,
  );
  if (!tables.some((table) => table.name === 'kysely_migration')) {
    if (tables.length > 0) throw new FastnessError('BROKER_STORE_DAMAGED', 'It holds the tables of something else.');
    return [];
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- kysely's own table, outside our schema type
  const internal = db as unknown as Kysely<{ kysely_migration: { name: string } }>;
  const rows = await internal.selectFrom('kysely_migration').select('name').execute();
  return rows.map((row) => row.name);
}

/** The schema that unqualified names are created in. Throws `BROKER_STORE_ACCESS` when there is none. */
async function currentSchema<T>(db: Kysely<T>): Promise<string> {
  const { rows } = await sql<{ name: string | null }>`select current_schema() as name`.execute(db);
  const name = rows[0]?.name;
  if (typeof name !== 'string') throw new FastnessError('BROKER_STORE_ACCESS', 'The user has no schema to use.');
  return name;
}
