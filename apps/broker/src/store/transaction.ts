import { FastnessError } from '@fastness/codec/errors';
import { PostgresAdapter, sql, type Kysely } from 'kysely';
import { isSerializationFailure, storeError } from './errors.ts';
import type { BrokerTables } from './tables.ts';

/** Attempts of a transaction that loses against others, and the longest pause before the next one. */
const attempts = 8;
const longestPauseMs = 200;

/** How long a broker asks what became of a commit whose answer it did not get. */
const outcomeMs = 5_000;

/** Names the lock that recorded changes take: any number that nothing else in this database uses. */
const recordLock = 0x66_61_73_74_6e_65_73n; // "fastnes"

/** Whether statements of this database may run beside each other: PostgreSQL's do, SQLite has one connection. */
export function isPostgres<T>(db: Kysely<T>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/**
 * Runs `work` in one transaction: its writes happen all or not at all, and no other transaction of this function, in
 * this broker or another one, runs beside it: what `work` reads stays true until its commit. On SQLite that is so by
 * itself; on PostgreSQL it takes one lock of the database first, then reads what is committed by then. (Serializable
 * isolation alone would not do: it may order a release before a revocation that was acknowledged earlier.)
 *
 * A transaction that loses against others runs again while `mayRunAgain` says so. When the connection ends during the
 * commit, the server is asked what became of it. Errors of the database become `BROKER_STORE...`, see `storeError`, and
 * `BROKER_STORE_UNCERTAIN` when the outcome cannot be had; Fastness's own errors pass.
 */
export async function inTransaction<T>(
  db: Kysely<BrokerTables>,
  work: (trx: Kysely<BrokerTables>) => Promise<T>,
  options: { readonly mayRunAgain?: () => boolean } = {},
): Promise<T> {
  if (!isPostgres(db)) return await asStoreError(() => db.transaction().execute(work));
  return await runAgain(options.mayRunAgain ?? (() => true), async () => {
    let xid = '';
    let done: { readonly result: T } | undefined;
    try {
      return await db.transaction().execute(async (trx) => {
        // Two statements: what comes with the lock is still a view from before it was granted.
        await sql`select pg_advisory_xact_lock(${sql.lit(String(recordLock))}::bigint)`.execute(trx);
        const { rows } = await sql<{ xid: string }>`select pg_current_xact_id()::text as xid`.execute(trx);
        xid = rows[0]?.xid ?? '';
        done = { result: await work(trx) };
        return done.result;
      });
    } catch (error) {
      if (done === undefined || xid === '') throw error;
      const outcome = await outcomeOf(db, xid);
      if (outcome === 'committed') return done.result;
      if (outcome === 'unknown') throw new FastnessError('BROKER_STORE_UNCERTAIN', undefined, { cause: error });
      throw error;
    }
  });
}

/**
 * Runs `work` in a transaction that is right beside others by itself: each of its statements sees what is committed, and
 * rows that it changes are its own until the end. Run again when it loses against another one.
 */
export async function inOwnTransaction<T>(
  db: Kysely<BrokerTables>,
  work: (trx: Kysely<BrokerTables>) => Promise<T>,
): Promise<T> {
  return await runAgain(
    () => true,
    () => db.transaction().execute(work),
  );
}

/** Turns errors of the database into `BROKER_STORE...`. */
export async function asStoreError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw storeError(cause);
  }
}

async function runAgain<T>(mayRunAgain: () => boolean, work: () => Promise<T>): Promise<T> {
  return await asStoreError(async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= attempts || !isSerializationFailure(error) || !mayRunAgain()) throw error;
        await pause(Math.random() * Math.min(longestPauseMs, 2 ** attempt));
      }
    }
  });
}

/** What became of a transaction, by its number. Asks again while the server is away or has not noticed yet. */
async function outcomeOf(db: Kysely<BrokerTables>, xid: string): Promise<'committed' | 'aborted' | 'unknown'> {
  const deadline = performance.now() + outcomeMs;
  for (;;) {
    try {
      const { rows } = await sql<{ status: string | null }>`select pg_xact_status(${xid}::xid8) as status`.execute(db);
      const status = rows[0]?.status;
      if (status === 'committed' || status === 'aborted') return status;
      if (status === null) return 'unknown';
    } catch {
      // The server may be starting again.
    }
    if (performance.now() > deadline) return 'unknown';
    await pause(100);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
