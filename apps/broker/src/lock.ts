import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { FastnessError } from '@fastness/codec/errors';
import { Client } from 'pg';
import { storeError } from './store/errors.ts';
import type { PostgresOptionsInput } from './store/location.ts';
import { postgresConnection } from './store/postgres.ts';

/** A lock on a path that the operating system drops when its holder dies, however it dies. */
export interface PathLock {
  release(): void;
}

/**
 * Takes the exclusive lock that belongs to `path`, or throws `BROKER_LOCKED`.
 *
 * Node has no `flock`, and a pid file outlives a `kill -9`. SQLite takes real locks of the operating system, so
 * the lock is an empty SQLite file `<path>.lock` inside an exclusive transaction that is never committed.
 *
 * Does not protect against somebody who may delete `<path>.lock`, nor on network file systems without locks.
 */
export function lockPath(path: string): PathLock {
  const lockFile = `${path}.lock`;
  // Created by hand first: SQLite would create it readable for everybody whom the umask lets read.
  closeSync(openSync(lockFile, 'a', 0o600));
  const database = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new FastnessError('BROKER_LOCKED', `Lock file: ${lockFile}.`, { cause });
  }
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      database.exec('ROLLBACK');
      database.close();
    },
  };
}

/** A lock on the name of a broker among those that share a database. The server drops it when its holder's connection ends. */
export interface InstanceLock {
  release(): Promise<void>;
}

/** Set apart from other advisory locks of the database. */
const instanceLocks = 0x46_53_54_4e; // "FSTN"

/**
 * Takes the name `instance` in a shared database, or throws `BROKER_LOCKED` while another broker has it.
 *
 * The lock lives as long as its own connection. When that ends (the server was restarted), it is taken again in the
 * background; whether another broker has the name by then is decided where it matters, in each recorded transaction
 * (see `saveAuditHead`): the lock spares operators a mistake, the claim in the database prevents its effect.
 * `report` receives what goes wrong in the background.
 */
export async function lockInstance(
  options: PostgresOptionsInput,
  instance: string,
  report: (error: unknown) => void,
): Promise<InstanceLock> {
  const { config } = await postgresConnection(options);
  let released = false;
  let held: Client | undefined;
  let retry: NodeJS.Timeout | undefined;

  const take = async (): Promise<void> => {
    const client = new Client({ ...config, application_name: `fastness-broker ${instance}` });
    const ended = (): void => {
      if (held !== client) return;
      held = undefined;
      again();
    };
    client.on('error', ended);
    client.on('end', ended);
    try {
      await client.connect();
      const { rows } = await client.query<{ taken: boolean }>(
        'select pg_try_advisory_lock($1, hashtext($2)) as taken',
        [instanceLocks, instance],
      );
      if (rows[0]?.taken !== true) throw new FastnessError('BROKER_LOCKED', `Instance ${instance}.`);
    } catch (error) {
      await client.end().catch(() => {});
      throw storeError(error);
    }
    held = client;
  };

  const again = (): void => {
    if (released) return;
    retry = setTimeout(() => {
      take().catch((error: unknown) => {
        report(error);
        again();
      });
    }, 1_000);
    retry.unref();
  };

  await take();
  return {
    async release() {
      released = true;
      clearTimeout(retry);
      const client = held;
      held = undefined;
      await client?.end();
    },
  };
}
