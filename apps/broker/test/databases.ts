import { copyFileSync, readFileSync } from 'node:fs';
import { sql } from 'kysely';
import type { BrokerOptions, DatabaseLocation } from '../src/index.ts';
import { openStore, type BrokerDatabase } from '../src/store/index.ts';
import { freshPath } from './fresh-path.ts';
import { postgresPrograms } from './postgres-programs.ts';
import { copyDatabase, sharedPostgres } from './postgres.ts';

export type DatabaseKind = DatabaseLocation['kind'];

/** Every kind of database that a broker runs on. */
export const databaseKinds: readonly DatabaseKind[] = ['sqlite', 'postgres'];

/** Whether this machine has what a kind of database needs. */
export function isAvailable(kind: DatabaseKind): boolean {
  return kind === 'sqlite' || postgresPrograms !== undefined;
}

let current: DatabaseKind = 'sqlite';

/** From here on `freshDatabase` makes databases of this kind unless told otherwise. */
export function useDatabase(kind: DatabaseKind): void {
  current = kind;
}

/** A new, empty database. */
export async function freshDatabase(directory: string, kind: DatabaseKind = current): Promise<DatabaseLocation> {
  if (kind === 'sqlite') return { kind, path: freshPath(directory, 'database') };
  const server = await sharedPostgres();
  // Nothing here depends on how busy the machine is.
  const patience = { connectTimeoutMs: 60_000, statementTimeoutMs: 60_000, lockTimeoutMs: 60_000 };
  return { kind, options: { url: await server.createDatabase(), maxConnections: 6, ...patience } };
}

/** A new database for an anchor, apart from the broker's own, as `freshness.anchor` names it. */
export async function freshAnchor(directory: string, kind: DatabaseKind = current): Promise<string> {
  return kind === 'sqlite'
    ? `sqlite:${freshPath(directory, 'anchor')}`
    : await (await sharedPostgres()).createDatabase();
}

/** A database as the options of a broker name it. */
export function brokerDatabase(location: DatabaseLocation): Pick<BrokerOptions, 'databasePath' | 'database'> {
  return location.kind === 'sqlite' ? { databasePath: location.path } : { database: location.options };
}

/** A copy of a database that no broker is running on. */
export async function copyOf(directory: string, location: DatabaseLocation): Promise<DatabaseLocation> {
  if (location.kind === 'postgres') {
    return { kind: 'postgres', options: { ...location.options, url: await copyDatabase(location.options.url) } };
  }
  const path = freshPath(directory, 'database');
  copyFileSync(location.path, path);
  return { kind: 'sqlite', path };
}

/** Runs a statement past the broker, as whoever administers the database could. */
export async function edit(location: DatabaseLocation, statement: string): Promise<void> {
  const db = await openStore(location);
  await sql.raw(statement).execute(db);
  await db.destroy();
}

/** Changes a database past the broker that runs on it, as whoever administers it could. */
export async function tamper(
  location: DatabaseLocation,
  change: (db: BrokerDatabase) => { execute(): Promise<unknown> },
): Promise<void> {
  const db = await openStore(location);
  await change(db).execute();
  await db.destroy();
}

/** Everything that a database holds, as text. */
export async function contentOf(location: DatabaseLocation): Promise<string> {
  if (location.kind === 'sqlite') {
    return ['', '-wal'].map((suffix) => readFileSync(`${location.path}${suffix}`, 'latin1')).join('\n');
  }
  const tables = ['challenges', 'spent_challenges', 'releases', 'leases', 'revocations', 'audit_heads'] as const;
  const db = await openStore(location);
  const rows: unknown[] = [];
  for (const table of tables) rows.push(...(await db.selectFrom(table).selectAll().execute()));
  await db.destroy();
  return JSON.stringify(rows);
}
