import { verifyRelease, releasePackageSchema } from '@fastness/model/release';
import { z } from 'zod';
import { storedKeyOf } from '../model-keys.ts';
import type { BrokerContext } from '../context.ts';
import type { BrokerDatabase, RevocationKind, StoredLease } from '../store/index.ts';
import { revokedKeyOf, type ReleaseKeys } from './key-revocation.ts';
import { ownerKeysInForce } from './owners.ts';
import { governed } from './tables.ts';
import { compareTcb, type TcbFacts } from './tcb.ts';

const tcbSchema = z.record(z.string(), z.union([z.number(), z.string()]));

/** Remembers the TCB of a lease's platform, so that a dry run can say whom a floor hits; that of ended leases goes. */
export async function saveLeaseTcb(db: BrokerDatabase, leaseId: string, facts: TcbFacts): Promise<void> {
  const tables = governed(db);
  await tables
    .deleteFrom('lease_tcb')
    .where('lease_id', 'not in', tables.selectFrom('leases').select('lease_id'))
    .execute();
  const tcb = JSON.stringify(facts);
  await tables
    .insertInto('lease_tcb')
    .values({ lease_id: leaseId, tcb })
    .onConflict((conflict) => conflict.column('lease_id').doUpdateSet({ tcb }))
    .execute();
}

/** Running leases that will not be renewed once this is revoked. */
export async function hitLeases(
  context: Pick<BrokerContext, 'policy' | 'now'>,
  db: BrokerDatabase,
  target: { readonly kind: RevocationKind; readonly value: string },
): Promise<StoredLease[]> {
  const now = context.now();
  const running = await db
    .selectFrom('leases')
    .selectAll()
    .where('expires_at', '>', now.toISOString())
    .orderBy('lease_id')
    .execute();
  const { kind, value } = target;
  if (kind === 'release') return running.filter((lease) => lease.release_digest === value);
  if (kind === 'measurement') return running.filter((lease) => lease.measurement === value);
  if (kind === 'platform') return running.filter((lease) => lease.platform === value);
  if (kind === 'tcb') {
    const rows = await governed(db).selectFrom('lease_tcb').selectAll().execute();
    const tcb = new Map(rows.map((row) => [row.lease_id, tcbSchema.parse(JSON.parse(row.tcb))]));
    const [tee = ''] = value.split(':');
    return running.filter((lease) => {
      const facts = tcb.get(lease.lease_id);
      // Nothing known of it: counted, for it may be hit.
      if (facts === undefined) return lease.tee === tee;
      const verdict = compareTcb(facts, value);
      return verdict === 'below' || verdict === 'unstated';
    });
  }
  const threshold = context.policy.quorum.threshold;
  const revokedRows = await db.selectFrom('revocations').select('value').where('kind', '=', 'key').execute();
  const revoked = new Set([...revokedRows.map((row) => row.value), value]);
  const hit = new Set<string>();
  for (const digest of new Set(running.map((lease) => lease.release_digest))) {
    const keys = await keysOfRelease(context, db, digest, now);
    if (keys === undefined || revokedKeyOf(keys, revoked, threshold) !== undefined) hit.add(digest);
  }
  return running.filter((lease) => hit.has(lease.release_digest));
}

/** Undefined for a release that does not verify any more: its leases end either way. */
async function keysOfRelease(
  context: Pick<BrokerContext, 'policy'>,
  db: BrokerDatabase,
  digest: string,
  now: Date,
): Promise<ReleaseKeys | undefined> {
  const row = await db.selectFrom('releases').selectAll().where('release_digest', '=', digest).executeTakeFirst();
  if (row === undefined) return undefined;
  try {
    const root = storedKeyOf(row.keys);
    const verified = await verifyRelease({
      package: releasePackageSchema.parse(JSON.parse(row.package)),
      ownerKeys: await ownerKeysInForce(context.policy, now),
      quorum: context.policy.quorum,
      now,
    });
    return {
      wrappingKey: root.keyId,
      wrappingKeyVersion: root.keyVersion,
      ownerKey: verified.ownerKeyId,
      approvedBy: verified.approvedBy,
    };
  } catch {
    return undefined;
  }
}
