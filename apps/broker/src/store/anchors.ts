import { FastnessError } from '@fastness/codec/errors';
import type { Kysely } from 'kysely';
import { asStoreError } from './transaction.ts';
import type { BrokerTables } from './tables.ts';

/** The value of an anchor; 0 for one that was never advanced. Throws `BROKER_STORE...`. */
export async function readAnchor(db: Kysely<BrokerTables>, name: string): Promise<number> {
  checkName(name);
  const row = await asStoreError(() =>
    db.selectFrom('anchors').select('value').where('name', '=', name).executeTakeFirst(),
  );
  return row?.value ?? 0;
}

/**
 * Sets an anchor from `from` to `to` in one atomic step: of any number of callers with the same `from`, in any number of
 * brokers, one succeeds. `from` is 0 for an anchor that was never advanced; `to` is larger, so no anchor ever falls.
 * When it returns, the value is on disk. Throws `BROKER_ANCHOR_MOVED`, whose detail names the value found, and
 * `BROKER_STORE...`, after which the caller reads the anchor to learn what happened.
 *
 * Protects as far as the database does: whoever can put the database back, or write to it, sets the anchor back too.
 */
export async function advanceAnchor(
  db: Kysely<BrokerTables>,
  change: { readonly name: string; readonly from: number; readonly to: number },
): Promise<void> {
  const { name, from, to } = change;
  checkName(name);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || to <= from) {
    throw new FastnessError('BROKER_INTERNAL', 'An anchor advances from a number to a larger one.');
  }
  // One statement each, so that nothing can come between the comparison and the write.
  const changed = await asStoreError(async () => {
    if (from > 0) {
      const { numUpdatedRows } = await db
        .updateTable('anchors')
        .set({ value: to })
        .where('name', '=', name)
        .where('value', '=', from)
        .executeTakeFirst();
      return numUpdatedRows;
    }
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('anchors')
      .values({ name, value: to })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    return numInsertedOrUpdatedRows ?? 0n;
  });
  if (changed === 1n) return;
  throw new FastnessError('BROKER_ANCHOR_MOVED', `${name} is ${await readAnchor(db, name)}, not ${from}.`);
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/.test(name)) {
    throw new FastnessError('BROKER_INTERNAL', 'An anchor has another name.');
  }
}
