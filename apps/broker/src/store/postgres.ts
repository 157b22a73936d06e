import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { FastnessError } from '@fastness/codec/errors';
import { PostgresDialect, sql, type Dialect, type Kysely } from 'kysely';
import { Pool, types, type ClientConfig } from 'pg';
import {
  parsePostgresUrl,
  postgresOptionsSchema,
  type PostgresOptions,
  type PostgresOptionsInput,
} from './location.ts';
import { databasePassword } from './password.ts';

/** The type of 64-bit integers in PostgreSQL's catalogue, which the driver would hand over as text. */
const int8 = 20;

/** How one connection to the server is made. */
export interface PostgresConnection {
  readonly config: ClientConfig;
  readonly maxConnections: number;
}

/**
 * What the driver needs to connect. Every session is durable (`synchronous_commit`) whatever the server's default, and
 * bounded in time. Throws `BROKER_CONFIG_INVALID`.
 */
export async function postgresConnection(input: PostgresOptionsInput): Promise<PostgresConnection> {
  const parsed = postgresOptionsSchema.safeParse(input);
  if (!parsed.success) {
    const paths = parsed.error.issues.map((issue) => issue.path.join('.') || issue.code);
    throw new FastnessError('BROKER_CONFIG_INVALID', `database: ${paths.join(', ')}.`);
  }
  const options = parsed.data;
  const address = parsePostgresUrl(options.url);
  if (process.env['PGPASSWORD'] !== undefined) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'PGPASSWORD is set: a password belongs into a file (PGPASSFILE).');
  }
  const { host, port, user, database } = address;
  return {
    maxConnections: options.maxConnections,
    config: {
      host,
      port,
      user,
      database,
      password: () => databasePassword(address, options.passwordFile),
      ssl: address.tls ? await tlsOptions(host, options.tls ?? {}) : false,
      application_name: 'fastness-broker',
      connectionTimeoutMillis: options.connectTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      lock_timeout: options.lockTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
      // The server's own limit comes first; this one is for a server that no longer answers at all.
      query_timeout: options.statementTimeoutMs + options.lockTimeoutMs,
      keepAlive: true,
      options: '-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c timezone=UTC',
      types: { getTypeParser: parserOf },
    },
  };
}

/** The one place that knows PostgreSQL's driver. The pool reports lost idle connections to nobody: the next query does. */
export async function postgresDialect(input: PostgresOptionsInput): Promise<Dialect> {
  const { config, maxConnections } = await postgresConnection(input);
  const pool = new Pool({ ...config, max: maxConnections, idleTimeoutMillis: 30_000 });
  pool.on('error', () => {});
  // A connection in use that ends outside a query would otherwise end the process; its next query says what is wrong.
  pool.on('connect', (client) => {
    client.on('error', () => {});
  });
  return new PostgresDialect({ pool });
}

/**
 * Refuses a server that may lose what it acknowledged, or that takes no writes. What its disk does, and what its
 * administrator changes later, is not seen here. Throws `BROKER_STORE_UNSAFE`.
 */
export async function refuseUnsafeServer<T>(db: Kysely<T>): Promise<void> {
  const { rows } = await sql<{ name: string; value: string }>`
    select name, setting as value from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')
    union all select 'in recovery', pg_is_in_recovery()::text
    union all select 'server encoding', pg_encoding_to_char(encoding) from pg_database where datname = current_database()
  `.execute(db);
  const wanted = new Map([
    ['fsync', 'on'],
    ['full_page_writes', 'on'],
    ['synchronous_commit', 'on'],
    ['in recovery', 'false'],
    ['server encoding', 'UTF8'],
  ]);
  const found = new Map(rows.map(({ name, value }) => [name, value]));
  for (const [name, value] of wanted) {
    const is = found.get(name) ?? 'unknown';
    if (is !== value) throw new FastnessError('BROKER_STORE_UNSAFE', `${name} is ${is}.`);
  }
}

async function tlsOptions(host: string, files: NonNullable<PostgresOptions['tls']>): Promise<ConnectionOptions> {
  const read = async (path: string | undefined): Promise<string | undefined> => {
    if (path === undefined) return undefined;
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new FastnessError('BROKER_CONFIG_INVALID', `Cannot read ${path}.`, { cause });
    }
  };
  const ca = await read(files.caPath);
  const cert = await read(files.certificatePath);
  const key = await read(files.privateKeyPath);
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    // Names only: TLS has no server name for addresses, which are compared with the certificate all the same.
    ...(/^[\d.]+$|:/.test(host) ? { host } : { servername: host }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Integers as numbers, and an error rather than a rounded one; everything else as the driver does. */
function parserOf(type: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (type === int8 && format !== 'binary') {
    return (value) => {
      const number = Number(value);
      if (!Number.isSafeInteger(number)) throw new RangeError('an integer of the database is too large');
      return number;
    };
  }
  // oxlint-disable-next-line typescript/no-unsafe-return, typescript/no-unsafe-type-assertion -- the driver types parsers as any
  return types.getTypeParser(type, format) as (value: string) => unknown;
}
