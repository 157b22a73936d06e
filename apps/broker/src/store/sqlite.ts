import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { FastnessError } from '@fastness/codec/errors';
import { SqliteDialect, type Dialect, type SqliteDatabase } from 'kysely';

/**
 * The one place that knows SQLite. Lets kysely's dialect, written for better-sqlite3, use Node's own SQLite.
 *
 * WAL with synchronous=FULL: a committed transaction survives a power cut. Throws `BROKER_STORE_DAMAGED` when the
 * file is no SQLite database or its pages do not add up.
 */
export function sqliteDialect(path: string): Dialect {
  // Created by hand first, for its mode; SQLite gives the WAL files the mode of the database.
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 5000, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA trusted_schema = OFF');
    const [first] = database.prepare('PRAGMA quick_check(1)').all();
    if (first?.['quick_check'] !== 'ok') throw new Error('quick_check failed');
  } catch (cause) {
    database.close();
    throw new FastnessError('BROKER_STORE_DAMAGED', `Database: ${path}.`, { cause });
  }
  return new SqliteDialect({ database: adapt(database) });
}

function adapt(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => {
      database.close();
    },
    prepare(sql) {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters.map(asInput)),
        run: (parameters) => statement.run(...parameters.map(asInput)),
        iterate: (parameters) => statement.iterate(...parameters.map(asInput)),
      };
    },
  };
}

/** SQLite stores text, numbers, blobs and null; anything else here is a mistake of a caller. */
function asInput(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return value;
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`no column takes a value of type ${typeof value}`);
}
