import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const path = z.string().min(1).max(4096);
const milliseconds = (standard: number): z.ZodDefault<z.ZodInt> => z.int().min(100).max(600_000).default(standard);

/** Where a PostgreSQL database is and how it is used. Holds no secret. */
export const postgresOptionsSchema = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(2048)
    .describe(
      'postgresql://USER@HOST:PORT/DATABASE, or postgresql:///DATABASE?host=/SOCKET/FOLDER&user=USER. Without a password. Over a network TLS with a verified certificate is always used.',
    ),
  passwordFile: path
    .exactOptional()
    .describe('A file with the password, readable by this user only. Absent: the file that PGPASSFILE names, if any.'),
  tls: z
    .strictObject({ caPath: path, certificatePath: path, privateKeyPath: path })
    .partial()
    .exactOptional()
    .describe("PEM files: authorities of the server's certificate (absent: those of the system), the broker's own."),
  maxConnections: z.int().min(2).max(200).default(10),
  connectTimeoutMs: milliseconds(5_000),
  statementTimeoutMs: milliseconds(10_000).describe('The longest time of one statement.'),
  lockTimeoutMs: milliseconds(5_000).describe('The longest wait for what another transaction holds.'),
  idleInTransactionTimeoutMs: milliseconds(10_000).describe(
    'A transaction in which nothing moves for so long is ended by the server: a broker that hangs does not stop the others for longer.',
  ),
});
export type PostgresOptionsInput = z.input<typeof postgresOptionsSchema>;
export type PostgresOptions = z.output<typeof postgresOptionsSchema>;

/** The database of a broker: a file of its own, or a server that several brokers may share. */
export type DatabaseLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly options: PostgresOptionsInput };

/** A database URL, taken apart. */
export interface PostgresAddress {
  /** A host name or address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Encrypted, with the server's certificate verified for `host`. */
  readonly tls: boolean;
}

const wrong = (what: string): FastnessError => new FastnessError('BROKER_CONFIG_INVALID', `database url: ${what}.`);

/**
 * Reads a database URL: a strict subset of what libpq reads. The members that weaken something (`sslmode=prefer`,
 * `sslmode=require`, ...) are refused by name. Nothing of the URL is repeated in an error, in case it holds a password.
 *
 * TLS with a verified certificate is used for every host but loopback addresses and Unix sockets; on loopback
 * `sslmode=verify-full` asks for it. Throws `BROKER_CONFIG_INVALID`.
 */
export function parsePostgresUrl(text: string): PostgresAddress {
  let url: URL;
  try {
    // `postgresql:` is no scheme that URL knows hosts of; with `http:` host, port and user are taken apart by its rules.
    const rest = /^postgres(?:ql)?:\/\/(.*)$/s.exec(text)?.[1];
    if (rest === undefined) throw wrong('it starts with postgresql://');
    url = new URL(`http://${rest.replace(/^([^/?]*@)?(?=[/?]|$)/, '$1socket.invalid')}`);
  } catch {
    throw wrong('it is not postgresql://USER@HOST:PORT/DATABASE');
  }
  if (url.password !== '' || url.searchParams.has('password')) {
    throw wrong('it holds a password; put it into a file (passwordFile, or PGPASSFILE)');
  }
  for (const name of url.searchParams.keys()) {
    if (!['host', 'port', 'user', 'sslmode'].includes(name)) throw wrong(`it has the unknown parameter ${name}`);
    if (url.searchParams.getAll(name).length > 1) throw wrong(`it has ${name} twice`);
  }
  const folder = url.searchParams.get('host');
  if (folder !== null && (url.hostname !== 'socket.invalid' || !folder.startsWith('/'))) {
    throw wrong('host= takes the folder of a Unix socket, and then there is no other host');
  }
  if (folder === null && url.hostname === 'socket.invalid') throw wrong('it names no host');
  const host = folder ?? decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1');
  const portText = url.searchParams.get('port') ?? (url.port === '' ? '5432' : url.port);
  if (!/^[1-9]\d{0,4}$/.test(portText) || Number(portText) > 65_535) throw wrong('its port is no port');
  const user = decodeURIComponent(url.username) || (url.searchParams.get('user') ?? '');
  const database = decodeURIComponent(url.pathname.slice(1));
  if (user === '' || database === '' || database.includes('/')) throw wrong('it names no user or no database');
  const local = folder !== null || /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/.test(host);
  const mode = url.searchParams.get('sslmode');
  if (mode !== null && mode !== 'verify-full' && mode !== 'disable') throw wrong('sslmode is verify-full or disable');
  if (mode === 'disable' && !local) throw wrong('sslmode=disable is for this machine only');
  if (mode === 'verify-full' && folder !== null) throw wrong('a Unix socket has no TLS');
  return { host, port: Number(portText), user, database, tls: mode === 'verify-full' || !local };
}
