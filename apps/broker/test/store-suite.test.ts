import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  claimInstance,
  consumeChallenge,
  highestVersion,
  inTransaction,
  issueChallenge,
  openStore,
  raiseHighestVersion,
  readAuditHead,
  refuseRevoked,
  saveAuditHead,
  saveRevocation,
  type BrokerDatabase,
} from '../src/store/index.ts';
import { databaseKinds, freshDatabase, isAvailable } from './databases.ts';
import { temporaryDirectory } from './temporary.ts';

// What holds on every database.
const directory = temporaryDirectory();
const at = (seconds: number): Date => new Date(1_800_000_000_000 + seconds * 1000);

describe.each(databaseKinds.map((kind) => ({ kind })))('on $kind', ({ kind }) => {
  describe.skipIf(!isAvailable(kind))('the store', () => {
    const open = async (): Promise<BrokerDatabase> => openStore(await freshDatabase(directory, kind));

    describe('transactions', () => {
      it('undoes all of a transaction that fails', async () => {
        const db = await open();
        const failing = inTransaction(db, async (trx) => {
          await raiseHighestVersion(trx, 'm', 9);
          throw new Error('disk');
        });
        await expect(failing).rejects.toMatchObject({ code: 'BROKER_STORE' });
        expect(await highestVersion(db, 'm')).toBe(0);
        await db.destroy();
      });

      it('run one after the other: what they read stays true until their end', async () => {
        const db = await open();
        let running = 0;
        const raised = Array.from({ length: 20 }, () =>
          inTransaction(db, async (trx) => {
            running += 1;
            expect(running).toBe(1);
            const highest = await highestVersion(trx, 'm');
            await new Promise((resolve) => setTimeout(resolve, 2));
            await raiseHighestVersion(trx, 'm', highest + 1);
            running -= 1;
          }),
        );
        await Promise.all(raised);
        expect(await highestVersion(db, 'm')).toBe(20);
        await db.destroy();
      });
    });

    describe('challenges', () => {
      it('are consumed by one of many who try at once', async () => {
        const db = await open();
        const { nonce } = await issueChallenge(db, { now: at(0), ttlSeconds: 60, maxOutstanding: 10 });
        const results = await Promise.allSettled(Array.from({ length: 12 }, () => consumeChallenge(db, nonce, at(1))));
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'BROKER_NONCE_REUSED' });
        }
        await db.destroy();
      });

      it('tell fresh, used, expired and unknown nonces apart', async () => {
        const db = await open();
        const options = { now: at(0), ttlSeconds: 60, maxOutstanding: 10 };
        const { nonce, expiresAt } = await issueChallenge(db, options);
        expect([nonce.length, expiresAt]).toEqual([32, at(60)]);
        const stale = await issueChallenge(db, options);
        await consumeChallenge(db, nonce, at(59));
        await expect(consumeChallenge(db, nonce, at(59))).rejects.toMatchObject({ code: 'BROKER_NONCE_REUSED' });
        await expect(consumeChallenge(db, stale.nonce, at(60))).rejects.toMatchObject({ code: 'BROKER_NONCE_EXPIRED' });
        await expect(consumeChallenge(db, stale.nonce, at(61))).rejects.toMatchObject({ code: 'BROKER_NONCE_EXPIRED' });
        await expect(consumeChallenge(db, randomBytes(32), at(1))).rejects.toMatchObject({
          code: 'BROKER_NONCE_UNKNOWN',
        });
        await db.destroy();
      });

      it('are bounded in number; expired ones count no longer and are forgotten', async () => {
        const db = await open();
        const options = { now: at(0), ttlSeconds: 60, maxOutstanding: 3 };
        const nonces: Uint8Array[] = [];
        for (let index = 0; index < 5; index += 1) {
          nonces.push((await issueChallenge(db, { ...options, now: at(index) })).nonce);
        }
        // The first two made room; whoever asks is always given one.
        for (const [index, nonce] of nonces.entries()) {
          if (index < 2)
            await expect(consumeChallenge(db, nonce, at(5))).rejects.toMatchObject({ code: 'BROKER_NONCE_UNKNOWN' });
          else await consumeChallenge(db, nonce, at(5));
        }
        for (let index = 0; index < 3; index += 1) await issueChallenge(db, options);
        const { nonce } = await issueChallenge(db, { ...options, now: at(61) });
        expect(await db.selectFrom('challenges').selectAll().execute()).toHaveLength(4);
        await consumeChallenge(db, nonce, at(62));
        await issueChallenge(db, { ...options, now: at(3600) });
        expect(await db.selectFrom('challenges').selectAll().execute()).toHaveLength(1);
        await db.destroy();
      });
    });

    describe('versions and revocations', () => {
      it('never lowers the highest version', async () => {
        const db = await open();
        for (const version of [2, 5, 3]) await raiseHighestVersion(db, 'm', version);
        expect(await highestVersion(db, 'm')).toBe(5);
        expect(await highestVersion(db, 'other')).toBe(0);
        await db.destroy();
      });

      it('names what was revoked', async () => {
        const db = await open();
        const revoked = { reason: 'r', revokedAt: at(0).toISOString() };
        await saveRevocation(db, { kind: 'platform', value: 'csp-id:x', ...revoked });
        await saveRevocation(db, { kind: 'platform', value: 'csp-id:x', ...revoked });
        await saveRevocation(db, { kind: 'measurement', value: 'm', ...revoked });
        await refuseRevoked(db, [
          { kind: 'release', value: 'csp-id:x' },
          { kind: 'platform', value: 'm' },
        ]);
        await expect(refuseRevoked(db, [{ kind: 'platform', value: 'csp-id:x' }])).rejects.toMatchObject({
          code: 'BROKER_PLATFORM_REVOKED',
        });
        await expect(refuseRevoked(db, [{ kind: 'measurement', value: 'm' }])).rejects.toMatchObject({
          code: 'BROKER_MEASUREMENT_REVOKED',
        });
        await db.destroy();
      });
    });

    describe('what comes back', () => {
      it('everything that was committed, and times and ids in the order of their bytes', async () => {
        const location = await freshDatabase(directory, kind);
        const db = await openStore(location);
        await raiseHighestVersion(db, 'm', 3);
        for (const value of ['b', 'B', 'a', '_', '1', 'A']) {
          await saveRevocation(db, { kind: 'platform', value, reason: 'r', revokedAt: at(0).toISOString() });
        }
        await db.destroy();
        const again = await openStore(location);
        expect(await highestVersion(again, 'm')).toBe(3);
        const rows = await again.selectFrom('revocations').select('value').orderBy('value').execute();
        expect(rows.map(({ value }) => value).join('')).toBe('1AB_ab');
        await again.destroy();
      });
    });

    describe('instances', () => {
      const head = (seq: number): { seq: number; hash: string } => ({ seq, hash: 'ab'.repeat(32) });

      it('remember the head of their own log, which only rises', async () => {
        const db = await open();
        expect(await readAuditHead(db, 'one')).toBeUndefined();
        const one = await claimInstance(db, 'one', head(1));
        const two = await claimInstance(db, 'two', head(7));
        await saveAuditHead(db, one, head(3));
        await saveAuditHead(db, two, head(8));
        expect([await readAuditHead(db, 'one'), await readAuditHead(db, 'two')]).toEqual([head(3), head(8)]);
        await expect(saveAuditHead(db, one, head(3))).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
        await db.destroy();
      });

      it('record nothing more once another process has their name', async () => {
        const db = await open();
        const before = await claimInstance(db, 'one', head(1));
        const after = await claimInstance(db, 'one', head(2));
        await expect(saveAuditHead(db, before, head(9))).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
        await saveAuditHead(db, after, head(3));
        expect(await readAuditHead(db, 'one')).toEqual(head(3));
        await db.destroy();
      });
    });
  });
});
