import { FastnessError } from '@fastness/codec/errors';
import { Migrator, type Migration } from 'kysely/migration';
import type { BrokerDatabase } from '../store/index.ts';

/** Columns follow the rules of the broker's other tables. */
export interface RcarTables {
  resources: {
    /** REPOSITORY/TYPE/TAG. */
    path: string;
    /** JSON: who may have it, each a TEE and a measurement. */
    guests: string;
    /** JSON: the key of the sealed value, wrapped. */
    wrapped_key: string;
    /** IV, ciphertext and tag, base64url. */
    sealed: string;
    registered_at: string;
  };
}

/** The same database or transaction, with the table of this folder. */
// oxlint-disable-next-line typescript/explicit-function-return-type -- kysely names the joined type
export function withResources(db: BrokerDatabase) {
  return db.$extendTables<{ [K in keyof RcarTables]: RcarTables[K] }>();
}

const migrations: Readonly<Record<string, Migration>> = Object.freeze({
  '0001-resources': {
    async up(db) {
      await db.schema
        .createTable('resources')
        .addColumn('path', 'text', (column) => column.primaryKey())
        .addColumn('guests', 'text', (column) => column.notNull())
        .addColumn('wrapped_key', 'text', (column) => column.notNull())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('registered_at', 'text', (column) => column.notNull())
        .execute();
    },
  },
});

/** Makes the table; call it after the broker's own migrations. Throws `BROKER_STORE_DAMAGED`. */
export async function migrateRcar(db: BrokerDatabase): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...migrations }) },
    migrationTableName: 'rcar_migration',
    migrationLockTableName: 'rcar_migration_lock',
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw new FastnessError('BROKER_STORE_DAMAGED', 'The table of resources is not the expected one.', { cause: error });
}
