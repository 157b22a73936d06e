import { createHash, randomBytes } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import type { Kysely, SelectQueryBuilder } from 'kysely';
import type { BrokerTables } from './tables.ts';
import { inOwnTransaction, isPostgres } from './transaction.ts';

/** How long an answered or expired nonce is remembered, to say "reused" or "expired" rather than "unknown". */
const rememberMs = 10 * 60_000;

/**
 * Issues a nonce of 32 random bytes that can be consumed once until `expiresAt`. When `maxOutstanding` nonces wait for their
 * answer already, the oldest of them is dropped: whoever asks without ever answering keeps nobody from getting one. Brokers
 * that share a database share the number, give or take the requests that they answer at one moment.
 */
export async function issueChallenge(
  db: Kysely<BrokerTables>,
  options: { now: Date; ttlSeconds: number; maxOutstanding: number },
): Promise<{ nonce: Uint8Array; expiresAt: Date }> {
  const { now, ttlSeconds, maxOutstanding } = options;
  const expiresAt = new Date(now.getTime() + ttlSeconds * 1000);
  const nonce = new Uint8Array(randomBytes(32));
  const free = <O>(rows: SelectQueryBuilder<BrokerTables, keyof BrokerTables, O>): typeof rows =>
    isPostgres(db) ? rows.forUpdate().skipLocked() : rows;
  await inOwnTransaction(db, async (trx) => {
    const forget = new Date(now.getTime() - rememberMs).toISOString();
    // Rows that another broker forgets at this moment are left to it: two that wait for each other would be a deadlock.
    const stale = trx.selectFrom('challenges').select('nonce_digest').where('expires_at', '<', forget);
    const spent = trx.selectFrom('spent_challenges').select('nonce_digest').where('spent_at', '<', forget);
    await trx.deleteFrom('challenges').where('nonce_digest', 'in', free(stale)).execute();
    await trx.deleteFrom('spent_challenges').where('nonce_digest', 'in', free(spent)).execute();
    const { outstanding } = await trx
      .selectFrom('challenges')
      .where('expires_at', '>', now.toISOString())
      .select((expression) => expression.fn.countAll<number | bigint | string>().as('outstanding'))
      .executeTakeFirstOrThrow();
    const surplus = Number(outstanding) - maxOutstanding + 1;
    if (surplus > 0) {
      const oldest = trx
        .selectFrom('challenges')
        .select('nonce_digest')
        .where('expires_at', '>', now.toISOString())
        .orderBy('expires_at')
        .limit(surplus);
      await trx.deleteFrom('challenges').where('nonce_digest', 'in', free(oldest)).execute();
    }
    await trx
      .insertInto('challenges')
      .values({ nonce_digest: digestOf(nonce), issued_at: now.toISOString(), expires_at: expiresAt.toISOString() })
      .execute();
  });
  return { nonce, expiresAt };
}

/**
 * Consumes a nonce: deletes it and remembers it as spent, in one transaction, so that of any number of requests with the
 * same nonce one gets through. Throws `BROKER_NONCE_EXPIRED`, `BROKER_NONCE_REUSED`, `BROKER_NONCE_UNKNOWN`.
 */
export async function consumeChallenge(db: Kysely<BrokerTables>, nonce: Uint8Array, now: Date): Promise<void> {
  const digest = digestOf(nonce);
  await inOwnTransaction(db, async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('challenges')
      .where('nonce_digest', '=', digest)
      .where('expires_at', '>', now.toISOString())
      .executeTakeFirst();
    if (numDeletedRows === 1n) {
      await trx.insertInto('spent_challenges').values({ nonce_digest: digest, spent_at: now.toISOString() }).execute();
      return;
    }
    const expired = await trx
      .selectFrom('challenges')
      .select('expires_at')
      .where('nonce_digest', '=', digest)
      .executeTakeFirst();
    if (expired !== undefined) throw new FastnessError('BROKER_NONCE_EXPIRED', `It expired at ${expired.expires_at}.`);
    const spent = await trx
      .selectFrom('spent_challenges')
      .select('spent_at')
      .where('nonce_digest', '=', digest)
      .executeTakeFirst();
    throw new FastnessError(spent === undefined ? 'BROKER_NONCE_UNKNOWN' : 'BROKER_NONCE_REUSED');
  });
}

function digestOf(nonce: Uint8Array): string {
  return createHash('sha256').update('fastness/broker-nonce/v1\n').update(nonce).digest('hex');
}
