import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DatabaseLocation } from '../src/index.ts';
import { claimInstance, highestVersion, inTransaction, openStore, raiseHighestVersion } from '../src/store/index.ts';
import { lockInstance } from '../src/lock.ts';
import { parsePostgresUrl } from '../src/store/location.ts';
import { findPassword } from '../src/store/password.ts';
import { sql } from 'kysely';
import { admin, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { brokerDatabase, freshDatabase, isAvailable } from './databases.ts';
import { query, startPostgres, type PostgresServer } from './postgres.ts';
import { errorOf, freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld } from './world.ts';

const directory = temporaryDirectory();

describe('a database URL', () => {
  it('is read strictly, and asks for verified TLS on every network', () => {
    expect(parsePostgresUrl('postgresql://broker@db.internal:5433/fastness')).toEqual({
      host: 'db.internal',
      port: 5433,
      user: 'broker',
      database: 'fastness',
      tls: true,
    });
    expect(parsePostgresUrl('postgresql://broker@127.0.0.1/fastness')).toMatchObject({ port: 5432, tls: false });
    expect(parsePostgresUrl('postgresql://broker@[::1]/fastness?sslmode=verify-full')).toMatchObject({
      host: '::1',
      tls: true,
    });
    expect(parsePostgresUrl('postgresql:///fastness?host=/run/postgresql&user=broker')).toMatchObject({
      host: '/run/postgresql',
      tls: false,
    });
    expect(parsePostgresUrl('postgresql://broker@/fastness?host=/run/postgresql')).toMatchObject({ user: 'broker' });
    for (const url of [
      'postgresql://broker:secret@db.internal/fastness',
      'postgresql://broker@db.internal/fastness?password=secret',
      'postgresql://broker@db.internal/fastness?sslmode=disable',
      'postgresql://broker@db.internal/fastness?sslmode=require',
      'postgresql://broker@db.internal/fastness?sslmode=prefer',
      'postgresql://broker@db.internal/fastness?options=-c%20synchronous_commit%3Doff',
      'postgresql://broker@db.internal/fastness?host=/tmp',
      'postgresql:///fastness?host=/tmp&user=u&sslmode=verify-full',
      'postgresql://broker@/fastness',
      'postgresql://db.internal/fastness',
      'postgresql://broker@db.internal/',
      'postgresql://broker@db.internal:0/fastness',
      'mysql://broker@db.internal/fastness',
      '',
    ]) {
      const error = errorOf(() => parsePostgresUrl(url));
      expect(error.code, url).toBe('BROKER_CONFIG_INVALID');
      expect(error.message).not.toContain('secret');
    }
  });

  it("takes its password from a file in libpq's format", () => {
    const address = { host: 'db', port: 5432, user: 'u', database: 'd' };
    const file = '# comment\nother:5432:d:u:wrong\ndb:*:d:u:ri\\:g\\\\ht\n*:*:*:*:late\n';
    expect(findPassword(file, address)).toBe('ri:g\\ht');
    expect(findPassword(file, { ...address, host: 'elsewhere' })).toBe('late');
    expect(findPassword('db:5432:d', address)).toBeUndefined();
  });
});

describe.skipIf(!isAvailable('postgres'))('a PostgreSQL server', () => {
  let server: PostgresServer;
  let port: number;
  const rootPath = freshPath(directory, 'root.pem');

  beforeAll(async () => {
    port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'fastness-tls-'));
    // A server on loopback, with a certificate for that name, that asks for passwords there.
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost`
        .split(' ')
        .concat('-out', rootPath, '-keyout', join(folder, 'server.key')),
      { stdio: 'ignore' },
    );
    execFileSync('cp', [rootPath, join(folder, 'server.pem')]);
    if (process.getuid?.() === 0)
      execFileSync('chown', ['postgres', join(folder, 'server.key'), join(folder, 'server.pem')]);
    chmodSync(join(folder, 'server.key'), 0o600);
    server = await startPostgres(folder, {
      settings: [
        "listen_addresses = '127.0.0.1'",
        'ssl = on',
        `ssl_cert_file = '${join(folder, 'server.pem')}'`,
        `ssl_key_file = '${join(folder, 'server.key')}'`,
      ],
      port,
      access: ['hostssl all secretive 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 reject'],
    });
  });
  afterAll(() => server.stop());

  it('is reached over verified TLS, with a password from a private file', async () => {
    const url = await server.createDatabase();
    const database = new URL(url.replace('postgresql:///', 'http://x/')).pathname.slice(1);
    await query(url, "create role secretive login password 'open sesame'", 'grant all on schema public to secretive');
    const passwordFile = freshPath(directory, 'password');
    writeFileSync(passwordFile, 'open sesame\n', { mode: 0o600 });
    const open = (changes: object, host = 'localhost', mode = 'verify-full'): ReturnType<typeof openStore> =>
      openStore({
        kind: 'postgres',
        options: {
          url: `postgresql://secretive@${host}:${port}/${database}?sslmode=${mode}`,
          passwordFile,
          tls: { caPath: rootPath },
          ...changes,
        },
      });
    const db = await open({});
    expect(await highestVersion(db, 'm')).toBe(0);
    await db.destroy();
    // Another authority, another name, no encryption.
    await expect(open({ tls: {} })).rejects.toMatchObject({ code: 'BROKER_STORE_ACCESS' });
    await expect(open({}, '127.0.0.1')).rejects.toMatchObject({ code: 'BROKER_STORE_ACCESS' });
    await expect(open({}, 'localhost', 'disable')).rejects.toMatchObject({ code: 'BROKER_STORE_ACCESS' });
    // A wrong password, one that others may read, none.
    const wrong = freshPath(directory, 'password');
    writeFileSync(wrong, 'close sesame\n', { mode: 0o600 });
    await expect(open({ passwordFile: wrong })).rejects.toMatchObject({ code: 'BROKER_STORE_ACCESS' });
    chmodSync(passwordFile, 0o644);
    await expect(open({})).rejects.toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
    await expect(open({ passwordFile: freshPath(directory, 'none') })).rejects.toMatchObject({
      code: 'BROKER_CONFIG_INVALID',
    });
  });

  it('is refused when it is not there, is no such database, or is another one', async () => {
    const nowhere = `postgresql:///d?host=${encodeURIComponent(directory)}&user=fastness`;
    await expect(openStore({ kind: 'postgres', options: { url: nowhere } })).rejects.toMatchObject({
      code: 'BROKER_STORE_UNREACHABLE',
    });
    const { options } = (await freshDatabase(directory, 'postgres')) as DatabaseLocation & { kind: 'postgres' };
    const missing = options.url.replace(/\/\/\/test_/, '///none_');
    await expect(openStore({ kind: 'postgres', options: { url: missing } })).rejects.toMatchObject({
      code: 'BROKER_STORE_ACCESS',
    });
    await query(options.url, 'create table notes (id integer)');
    await expect(openStore({ kind: 'postgres', options })).rejects.toMatchObject({ code: 'BROKER_STORE_DAMAGED' });
  });

  it('with a newer schema is refused, and every session is durable whatever the default of the server', async () => {
    const location = (await freshDatabase(directory, 'postgres')) as DatabaseLocation & { kind: 'postgres' };
    const { url } = location.options;
    await query(url, `alter database ${/\/\/\/(\w+)/.exec(url)?.[1] ?? ''} set synchronous_commit = off`);
    const db = await openStore(location);
    const { rows } = await sql<{ value: string }>`select current_setting('synchronous_commit') as value`.execute(db);
    expect(rows).toEqual([{ value: 'on' }]);
    await db.destroy();
    await query(url, "insert into kysely_migration (name, timestamp) values ('9999-future', '')");
    await expect(openStore(location)).rejects.toMatchObject({ code: 'BROKER_STORE_NEWER' });
  });

  it('without fsync is refused', async () => {
    const unsafe = await startPostgres(undefined, { settings: ['fsync = off'] });
    try {
      const options = { url: await unsafe.createDatabase() };
      await expect(openStore({ kind: 'postgres', options })).rejects.toMatchObject({
        code: 'BROKER_STORE_UNSAFE',
        message: expect.stringContaining('fsync'),
      });
    } finally {
      await unsafe.stop();
    }
  });

  it('that ends a connection during a commit is asked what became of it', async () => {
    const location = (await freshDatabase(directory, 'postgres')) as DatabaseLocation & { kind: 'postgres' };
    const db = await openStore(location);
    // A deferred trigger runs inside COMMIT: here it ends its own session, so the transaction is lost.
    await query(
      location.options.url,
      `create function cut() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$`,
      'create constraint trigger cut after insert on model_versions deferrable initially deferred for each row execute function cut()',
    );
    await expect(inTransaction(db, (trx) => raiseHighestVersion(trx, 'm', 1))).rejects.toMatchObject({
      code: 'BROKER_STORE_UNREACHABLE',
    });
    expect(await highestVersion(db, 'm')).toBe(0);
    await db.destroy();
  });

  it('that hangs on a lock gives up on it, and a hanging holder is cut off', async () => {
    const { options } = (await freshDatabase(directory, 'postgres')) as DatabaseLocation & { kind: 'postgres' };
    const slow = await openStore({ kind: 'postgres', options: { ...options, idleInTransactionTimeoutMs: 4000 } });
    const quick = await openStore({ kind: 'postgres', options: { ...options, lockTimeoutMs: 300 } });
    await inTransaction(quick, (trx) => raiseHighestVersion(trx, 'other', 1));
    const [entered, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const holder = inTransaction(slow, async (trx) => {
      await raiseHighestVersion(trx, 'm', 7);
      entered.resolve();
      await free.promise;
      await raiseHighestVersion(trx, 'm', 8);
    });
    const held = expect(holder).rejects.toMatchObject({ code: expect.stringMatching(/^BROKER_STORE/) });
    await entered.promise;
    const raise = (): Promise<unknown> =>
      inTransaction(quick, (trx) => raiseHighestVersion(trx, 'm', 1)).then(
        () => 'raised',
        ({ code }: { code: unknown }) => code,
      );
    expect(await raise()).toBe('BROKER_STORE_BUSY');
    // The database ends whoever holds a lock and does nothing.
    await expect.poll(raise).toBe('raised');
    free.resolve();
    await held;
    await inTransaction(quick, (trx) => raiseHighestVersion(trx, 'm', 2));
    expect(await highestVersion(quick, 'm')).toBe(2);
    await slow.destroy();
    await quick.destroy();
  });

  it('runs a transaction again that loses against another one', async () => {
    const location = await freshDatabase(directory, 'postgres');
    const db = await openStore(location);
    let runs = 0;
    await inTransaction(db, async (trx) => {
      runs += 1;
      await raiseHighestVersion(trx, 'm', runs);
      if (runs < 3) await sql`do $$ begin raise exception 'lost' using errcode = '40001'; end $$`.execute(trx);
    });
    expect([runs, await highestVersion(db, 'm')]).toEqual([3, 3]);
    runs = 0;
    const once = inTransaction(
      db,
      async (trx) => {
        runs += 1;
        await sql`do $$ begin raise exception 'lost' using errcode = '40P01'; end $$`.execute(trx);
      },
      { mayRunAgain: () => false },
    );
    await expect(once).rejects.toMatchObject({ code: 'BROKER_STORE_BUSY' });
    expect(runs).toBe(1);
    await db.destroy();
  });

  it('that restarts lets the broker go on by itself', async () => {
    const own = await startPostgres();
    const world = await createWorld(directory);
    const location: DatabaseLocation = { kind: 'postgres', options: { url: await own.createDatabase() } };
    const broker = await world.start(brokerDatabase(location));
    try {
      const release = await admin.registered(broker.url, await world.release());
      const enclave = await createEnclave();
      granted(await requestKey(broker.url, { world, enclave, release }));
      await own.restart('immediate');
      // What was idle in the pool is found dead once, at most.
      const deadline = performance.now() + 90_000;
      for (;;) {
        const answer = await admin.revoke(broker.url, 'platform', 'csp-id:x');
        if (answer.status === 200) break;
        expect(refusalOf(answer)).toMatch(/^BROKER_STORE/);
        if (performance.now() > deadline) throw new Error('the broker did not recover');
      }
      granted(await requestKey(broker.url, { world, enclave, release }));
    } finally {
      await broker.close();
      await own.stop();
    }
  });

  it('drops the name of a broker with its connection; then the name, if free, is taken again', async () => {
    const { options } = (await freshDatabase(directory, 'postgres')) as DatabaseLocation & { kind: 'postgres' };
    const reports: unknown[] = [];
    const lock = await lockInstance(options, 'one', (error) => reports.push(error));
    await expect(lockInstance(options, 'one', () => {})).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
    const other = await lockInstance(options, 'two', () => {});
    await other.release();
    const holder = async (): Promise<unknown> => {
      const [row] = await query(
        options.url,
        "select pid from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted and application_name = 'fastness-broker one'",
      );
      return row?.['pid'];
    };
    const first = await holder();
    expect(first).toBeTypeOf('number');
    await query(options.url, `select pg_terminate_backend(${String(first)})`);
    await expect.poll(async () => [undefined, first].includes(await holder())).toBe(false);
    await expect(lockInstance(options, 'one', () => {})).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
    await lock.release();
    await (await lockInstance(options, 'one', () => {})).release();
  });

  it('keeps a broker from recording that another process replaced', async () => {
    const world = await createWorld(directory);
    const location = await freshDatabase(directory, 'postgres');
    const broker = await world.start({ ...brokerDatabase(location), instance: 'one' });
    const db = await openStore(location);
    await claimInstance(db, 'one', { seq: 1, hash: 'ab'.repeat(32) });
    await db.destroy();
    expect(refusalOf(await admin.register(broker.url, await world.release()))).toBe('BROKER_LOCKED');
    expect((await admin.audit(broker.url)).map(({ kind }) => kind)).toEqual([
      'start',
      'approval-seen',
      'approval-seen',
      'release-registered',
      'not-committed',
      'refused',
    ]);
    await broker.close();
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
