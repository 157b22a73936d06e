import { createHash, randomBytes } from 'node:crypto';
import { equalBytes, fromHex, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { nextHistory, type AnchorReading, type FreshnessAnchor } from '@fastness/evidence/freshness';
import type { Kysely } from 'kysely';

/** The one table of an anchor's database. `value` is text: PostgreSQL's driver and SQLite read large integers differently. */
export interface AnchorTables {
  freshness_anchors: { name: string; made: string; value: string; history: string };
}

export interface DatabaseAnchorOptions {
  /** A database that is kept, backed up and restored apart from the broker's own; otherwise it goes back with it. */
  readonly db: Kysely<AnchorTables>;
  /** Which anchor in it. One broker each. */
  readonly name: string;
  /** For messages; without a password. */
  readonly where: string;
}

/**
 * An anchor that is one row of a database elsewhere, advanced by a conditional write: of any number of brokers that run on
 * copies of a state, one gets on.
 *
 * Not protected against: whoever administers that database.
 */
export async function openDatabaseAnchor({ db, name, where }: DatabaseAnchorOptions): Promise<FreshnessAnchor> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw new FastnessError('FRESHNESS_CONFIG', 'The name.');
  await db.schema
    .createTable('freshness_anchors')
    .ifNotExists()
    .addColumn('name', 'varchar(64)', (column) => column.primaryKey())
    .addColumn('made', 'varchar(64)', (column) => column.notNull())
    .addColumn('value', 'varchar(20)', (column) => column.notNull())
    .addColumn('history', 'varchar(64)', (column) => column.notNull())
    .execute();
  const find = async (): Promise<(AnchorReading & { readonly made: string }) | undefined> => {
    const row = await db.selectFrom('freshness_anchors').selectAll().where('name', '=', name).executeTakeFirst();
    if (row === undefined) return undefined;
    if (!/^[1-9]\d{0,19}$/.test(row.value)) throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', where);
    return { made: row.made, value: BigInt(row.value), history: fromHex(row.history) };
  };
  const read = async (): Promise<AnchorReading> => {
    const row = await find();
    if (row === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', where);
    return { value: row.value, history: row.history };
  };
  return {
    kind: 'database',
    description: `row ${name} of ${where}`,
    trust: 'as good as the administrator of that database: who can restore both databases can put the state back',
    read,
    async identity() {
      const row = await find();
      // A row that is deleted and made again is another anchor.
      return row && createHash('sha256').update(`fastness/database-anchor/v1\n${name}\n${row.made}`).digest('hex');
    },
    async provision() {
      const made = randomBytes(32).toString('hex');
      const history = randomBytes(32).toString('hex');
      await db.insertInto('freshness_anchors').values({ name, made, value: '1', history }).execute();
    },
    async advance(expected, digest) {
      const next = { value: expected.value + 1n, history: nextHistory(expected.history, digest) };
      // One statement, so that nothing comes between the comparison and the write.
      const { numUpdatedRows } = await db
        .updateTable('freshness_anchors')
        .set({ value: next.value.toString(), history: toHex(next.history) })
        .where('name', '=', name)
        .where('value', '=', expected.value.toString())
        .where('history', '=', toHex(expected.history))
        .executeTakeFirst();
      if (numUpdatedRows === 1n) return next;
      // The answer to the same write may have been lost.
      const found = await read();
      if (found.value === next.value && equalBytes(found.history, next.history)) return next;
      throw new FastnessError('FRESHNESS_ANCHOR_MOVED', `Expected ${expected.value}, found ${found.value}.`);
    },
    [Symbol.asyncDispose]: () => db.destroy(),
  };
}
