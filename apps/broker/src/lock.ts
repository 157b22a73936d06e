import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { FastnessError } from '@fastness/codec/errors';

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
