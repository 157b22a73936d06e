import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Makes this process the one writer of a log, until it is released or the process ends, however it ends. Node has no `flock`;
 * SQLite takes real locks of the operating system, so the lock is an empty SQLite file in an exclusive transaction.
 * @throws LOG_LOCKED
 */
export function lockFile(path: string): Disposable {
  // By hand first: SQLite would create it readable for everybody whom the umask lets read.
  closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new FastnessError('LOG_LOCKED', path, { cause });
  }
  return {
    [Symbol.dispose]: () => {
      if (database.isOpen) database.close();
    },
  };
}
