import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { parsePostgresUrl } from '../src/store/location.ts';
import { postgresPrograms, serverFolderVariable } from './postgres-programs.ts';

const run = promisify(execFile);
/** A throw-away server: one folder with its data and its socket, no network unless `settings` opens it. */
export interface PostgresServer {
  readonly folder: string;
  /** Of a new, empty database. */
  createDatabase(): Promise<string>;
  restart(mode?: 'fast' | 'immediate'): Promise<void>;
  stop(): Promise<void>;
}

/** The server refuses to run as root, so root runs it as Debian's own user for it. */
async function asServer(program: string, parameters: readonly string[]): Promise<void> {
  const path = join(postgresPrograms ?? '', program);
  const root = process.getuid?.() === 0;
  await (root
    ? run('setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', path, ...parameters], { cwd: '/' })
    : run(path, [...parameters]));
}

/**
 * Makes a server in `folder` and starts it: durable as in production, and nobody outside the folder reaches it.
 * `settings` and `access` are lines for postgresql.conf and, before all others, pg_hba.conf.
 */
export async function startPostgres(
  folder: string = mkdtempSync(join(tmpdir(), 'fastness-postgres-')),
  {
    settings = [],
    access = [],
    port = 5432,
  }: { settings?: readonly string[]; access?: readonly string[]; port?: number } = {},
): Promise<PostgresServer> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.getuid?.() === 0) {
    const ids = spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout.trim();
    chownSync(folder, Number(ids), -1);
  }
  const data = join(folder, 'data');
  await asServer('initdb', [
    '-D',
    data,
    '-U',
    'fastness',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ]);
  const lines = [
    "listen_addresses = ''",
    `unix_socket_directories = '${folder}'`,
    'unix_socket_permissions = 0700',
    'max_connections = 120',
    `port = ${port}`,
    ...settings,
  ];
  appendFileSync(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`);
  if (access.length > 0)
    writeFileSync(join(data, 'pg_hba.conf'), `${[...access, 'local all fastness trust'].join('\n')}\n`);
  const control = (...parameters: string[]): Promise<void> =>
    asServer('pg_ctl', ['-D', data, '-l', join(folder, 'server.log'), '-w', '-t', '60', ...parameters]);
  await control('start');
  return {
    folder,
    createDatabase: () => createDatabase(folder, port),
    restart: (mode = 'fast') => control('-m', mode, 'restart'),
    async stop() {
      await control('-m', 'immediate', 'stop');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The URL of `database` on the server in `folder`, for the user that owns everything there. */
function socketUrl(folder: string, database: string, port = 5432): string {
  return `postgresql:///${database}?host=${encodeURIComponent(folder)}&user=fastness&port=${port}`;
}

/** Runs statements by hand, past the broker. */
export async function query(url: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const parsed = new URL(url.replace(/^postgresql:\/\//, 'http://x'));
  const client = new Client({
    host: parsed.searchParams.get('host') ?? '',
    port: Number(parsed.searchParams.get('port') ?? 5432),
    user: 'fastness',
    database: parsed.pathname.slice(1),
  });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query<Record<string, unknown>>(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

async function createDatabase(folder: string, port = 5432): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await query(socketUrl(folder, 'postgres', port), `create database ${name}`);
  return socketUrl(folder, name, port);
}

/** A copy of a database that nobody uses any more, on the same server. Returns its URL. */
export async function copyDatabase(url: string): Promise<string> {
  const { host: folder, port, database } = parsePostgresUrl(url);
  const name = `test_${randomBytes(6).toString('hex')}`;
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      await query(socketUrl(folder, 'postgres', port), `create database ${name} template ${database}`);
      return socketUrl(folder, name, port);
    } catch (error) {
      // Sessions that were ended a moment ago may not be gone yet.
      const busy = error instanceof Error && 'code' in error && error.code === '55006';
      if (!busy || performance.now() > deadline) throw error;
    }
  }
}

/**
 * The server that all processes of this test run share: the first that needs it starts it, `postgres-run.ts` stops it.
 * Processes outside a test run have one of their own, which they stop.
 */
export async function sharedPostgres(): Promise<{ readonly folder: string; createDatabase(): Promise<string> }> {
  const folder = process.env[serverFolderVariable];
  if (folder === undefined) throw new Error('This run of tests has no folder for a PostgreSQL server.');
  const ready = join(folder, 'ready');
  const shared = { folder, createDatabase: () => createDatabase(folder) };
  if (existsSync(ready)) return shared;
  try {
    mkdirSync(`${folder}.starting`);
  } catch {
    const deadline = performance.now() + 60_000;
    while (!existsSync(ready)) {
      if (performance.now() > deadline) throw new Error('The PostgreSQL server of this test run did not start.');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return shared;
  }
  await startPostgres(folder);
  writeFileSync(ready, '');
  return shared;
}
