import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import type { PostgresAddress } from './location.ts';

const longest = 64 * 1024;

/**
 * The password for a database server, read when the server asks for one: from `passwordFile` (its first line), or from the
 * file that `PGPASSFILE` names, in libpq's format. Never from an argument, an URL or the environment.
 * Throws `BROKER_CONFIG_INVALID`; no error holds a part of a file.
 */
export async function databasePassword(address: PostgresAddress, passwordFile: string | undefined): Promise<string> {
  if (passwordFile !== undefined) {
    const [line = ''] = (await readPrivate(passwordFile)).split(/\r?\n/);
    if (line === '') throw new FastnessError('BROKER_CONFIG_INVALID', `${passwordFile} holds no password.`);
    return line;
  }
  const passFile = process.env['PGPASSFILE'];
  if (passFile === undefined || passFile === '') {
    throw new FastnessError(
      'BROKER_CONFIG_INVALID',
      'The database asks for a password: --database-password FILE, passwordFile in a configuration file, or PGPASSFILE.',
    );
  }
  const found = findPassword(await readPrivate(passFile), address);
  if (found === undefined)
    throw new FastnessError('BROKER_CONFIG_INVALID', `${passFile} has no line for this database.`);
  return found;
}

/** The first matching line of a libpq password file: `host:port:database:user:password`, `*` matches, `\` escapes. */
export function findPassword(text: string, address: Omit<PostgresAddress, 'tls'>): string | undefined {
  const { host, port, database, user } = address;
  // libpq asks for a socket in its standard folder as "localhost" and for others by their folder.
  const wanted = [host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const fields = line.match(/(?:\\.|[^:\\])*(?::|$)/g)?.map((field) => field.replace(/:$/, '')) ?? [];
    const [patterns, rest] = [fields.slice(0, 4), fields.slice(4, 5)];
    const plain = (field: string): string => field.replaceAll(/\\(.)/g, '$1');
    const [password = ''] = rest;
    if (patterns.length < 4 || password === '') continue;
    if (patterns.every((pattern, index) => pattern === '*' || plain(pattern) === wanted[index])) return plain(password);
  }
  return undefined;
}

async function readPrivate(path: string): Promise<string> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `Cannot read ${path}.`, { cause });
  }
  try {
    const status = await handle.stat();
    if (!status.isFile() || status.size > longest) {
      throw new FastnessError('BROKER_CONFIG_INVALID', `${path} is no password file.`);
    }
    if ((status.mode & 0o077) !== 0) {
      throw new FastnessError('BROKER_CONFIG_INVALID', `Others than its owner may read ${path}: chmod 600.`);
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
