import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { lockPath } from '../src/lock.ts';
import {
  canonicalRevocation,
  highestVersion,
  issueChallenge,
  openStore,
  raiseHighestVersion,
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
