import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { lockPath } from '../src/lock.ts';
import {
  canonicalRevocation,
  consumeChallenge,
  highestVersion,
  inTransaction,
  issueChallenge,
  openStore,
  raiseHighestVersion,
  refuseRevoked,
  saveRevocation,
} from '../src/store/index.ts';
import { platformName } from '../src/platform.ts';
import { errorOf, freshPath, temporaryDirectory } from './temporary.ts';

const directory = temporaryDirectory();
const at = (seconds: number): Date => new Date(1_800_000_000_000 + seconds * 1000);

describe('the database', () => {
  it('is durable, private and comes back after a restart', async () => {
    const path = freshPath(directory, 'db');
    const db = await openStore(path);
    await raiseHighestVersion(db, 'm', 3);
    const raw = new DatabaseSync(path);
    expect(raw.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    raw.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
    await db.destroy();
    const again = await openStore(path);
    expect(await highestVersion(again, 'm')).toBe(3);
    await again.destroy();
  });

  it('refuses a file that is no database, another database, and a newer schema', async () => {
    const text = freshPath(directory, 'db');
    writeFileSync(text, 'not a database, but long enough to be taken for one'.repeat(100));
    await expect(openStore(text)).rejects.toMatchObject({ code: 'BROKER_STORE_DAMAGED' });

    const other = freshPath(directory, 'db');
    const raw = new DatabaseSync(other);
    raw.exec('CREATE TABLE notes (id INTEGER)');
    raw.close();
    await expect(openStore(other)).rejects.toMatchObject({ code: 'BROKER_STORE_DAMAGED' });

    const newer = freshPath(directory, 'db');
    await (await openStore(newer)).destroy();
    const future = new DatabaseSync(newer);
    future.exec("INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-future', '')");
    future.close();
    await expect(openStore(newer)).rejects.toMatchObject({ code: 'BROKER_STORE_NEWER' });
  });

  it('refuses a database with a damaged page', async () => {
    const path = freshPath(directory, 'db');
    const db = await openStore(path);
    for (let index = 0; index < 200; index += 1) {
      await saveRevocation(db, {
        kind: 'release',
        value: randomBytes(32).toString('hex'),
        reason: 'x'.repeat(200),
        revokedAt: at(0).toISOString(),
      });
    }
    await db.destroy();
    const raw = new DatabaseSync(path);
    raw.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    raw.close();
    const size = statSync(path).size;
    const file = openSync(path, 'r+');
    writeSync(file, randomBytes(4096), 0, 4096, size - 4096);
    closeSync(file);
    await expect(openStore(path)).rejects.toMatchObject({ code: 'BROKER_STORE_DAMAGED' });
  });

  it('undoes all of a transaction that fails', async () => {
    const db = await openStore(freshPath(directory, 'db'));
    const failing = inTransaction(db, async (trx) => {
      await raiseHighestVersion(trx, 'm', 9);
      throw new Error('disk');
    });
    await expect(failing).rejects.toMatchObject({ code: 'BROKER_STORE' });
    expect(await highestVersion(db, 'm')).toBe(0);
    await db.destroy();
  });
});

describe('challenges', () => {
  it('tell fresh, used, expired and unknown nonces apart', async () => {
    const db = await openStore(freshPath(directory, 'db'));
    const options = { now: at(0), ttlSeconds: 60, maxOutstanding: 10 };
    const { nonce, expiresAt } = await issueChallenge(db, options);
    expect([nonce.length, expiresAt]).toEqual([32, at(60)]);
    const stale = await issueChallenge(db, options);
    await consumeChallenge(db, nonce, at(59));
    await expect(consumeChallenge(db, nonce, at(59))).rejects.toMatchObject({ code: 'BROKER_NONCE_REUSED' });
    await expect(consumeChallenge(db, stale.nonce, at(60))).rejects.toMatchObject({ code: 'BROKER_NONCE_EXPIRED' });
    await expect(consumeChallenge(db, stale.nonce, at(61))).rejects.toMatchObject({ code: 'BROKER_NONCE_EXPIRED' });
    await expect(consumeChallenge(db, randomBytes(32), at(1))).rejects.toMatchObject({ code: 'BROKER_NONCE_UNKNOWN' });
    await db.destroy();
  });

  it('are bounded in number; expired ones count no longer and are forgotten', async () => {
    const db = await openStore(freshPath(directory, 'db'));
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

  it('never lie in the database as such', async () => {
    const path = freshPath(directory, 'db');
    const db = await openStore(path);
    const { nonce } = await issueChallenge(db, { now: at(0), ttlSeconds: 60, maxOutstanding: 3 });
    const text = [path, `${path}-wal`].map((file) => readFileSync(file, 'latin1')).join('');
    for (const encoding of ['latin1', 'hex', 'base64url'] as const) {
      expect(text).not.toContain(Buffer.from(nonce).toString(encoding));
    }
    await db.destroy();
  });
});

describe('versions and revocations', () => {
  it('never lowers the highest version', async () => {
    const db = await openStore(freshPath(directory, 'db'));
    for (const version of [2, 5, 3]) await raiseHighestVersion(db, 'm', version);
    expect(await highestVersion(db, 'm')).toBe(5);
    expect(await highestVersion(db, 'other')).toBe(0);
    await db.destroy();
  });

  it('brings what people type into the form that claims have', async () => {
    const chip = 'AB'.repeat(64);
    expect(canonicalRevocation('platform', chip)).toEqual({
      kind: 'platform',
      value: platformName({ kind: 'chip-id', value: chip.toLowerCase() }),
    });
    expect(canonicalRevocation('platform', `chip-id:${chip}`).value).toBe(`chip-id:${chip.toLowerCase()}`);
    // Turin: 8 bytes, which reports pad with zeros.
    expect(canonicalRevocation('platform', `00112233445566ff${'0'.repeat(112)}`).value).toBe(
      'chip-id:00112233445566ff',
    );
    expect(canonicalRevocation('platform', 'Example Cloud').value).toBe(
      platformName({ kind: 'csp-id', value: 'example cloud' }),
    );
    expect(canonicalRevocation('platform', 'csp-id:00112233445566ff').value).toBe('csp-id:00112233445566ff');
    expect(canonicalRevocation('platform', 'I-0123456789ABCDEF0').value).toBe('instance-id:i-0123456789abcdef0');
    expect(canonicalRevocation('platform', 'AB'.repeat(16)).value).toBe(`ppid:${'ab'.repeat(16)}`);
    expect(canonicalRevocation('platform', '12345678-9abc-def0-1234-56789ABCDEF0').value).toBe(
      'vm-id:12345678-9abc-def0-1234-56789abcdef0',
    );
    for (const bytes of [32, 48, 64]) {
      expect(canonicalRevocation('measurement', 'AB'.repeat(bytes)).value).toBe('ab'.repeat(bytes));
    }
    for (const [kind, value] of [
      ['release', 'ab'],
      ['measurement', 'g'.repeat(96)],
      ['measurement', 'ab'.repeat(20)],
      ['platform', 'chip-id:abc'],
      ['platform', 'ppid:abc'],
      ['platform', 'csp-id:tab\there'],
    ] as const) {
      expect(errorOf(() => canonicalRevocation(kind, value)).code).toBe('BROKER_REQUEST_INVALID');
    }
  });

  it('names what was revoked', async () => {
    const db = await openStore(freshPath(directory, 'db'));
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

describe('locks', () => {
  it('are held by one at a time and free after release', () => {
    const path = freshPath(directory, 'lock');
    const lock = lockPath(path);
    expect(errorOf(() => lockPath(path)).code).toBe('BROKER_LOCKED');
    lock.release();
    lock.release();
    lockPath(path).release();
  });
});
