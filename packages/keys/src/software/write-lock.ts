import { open } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';

/** How long a writer waits for another one unless told otherwise, milliseconds. A write takes a few. */
export const defaultLockTimeout = 10_000;

/**
 * Runs `work` while holding the write lock of `path`, among all processes of this machine. The lock is SQLite's, on
 * an empty database beside the store (`<path>.lock`): Node has no flock, and unlike a lock made of a file's existence
 * the kernel releases this one when its owner dies. Errors: KEYS_LOCKED, KEYS_IO.
 */
export async function withWriteLock<T>(path: string, timeout: number, work: () => Promise<T>): Promise<T> {
  const lockPath = `${path}.lock`;
  await ensureLockFile(lockPath);
  using lock = openLock(lockPath);
  const deadline = performance.now() + timeout;
  for (let pause = 2; !tryLock(lock); pause = Math.min(pause * 2, 50)) {
    if (performance.now() > deadline) throw new FastnessError('KEYS_LOCKED');
    await sleep(pause);
  }
  return await work();
}

function openLock(lockPath: string): DatabaseSync {
  try {
    return new DatabaseSync(lockPath, { timeout: 0, allowExtension: false });
  } catch (cause) {
    throw lockFault(cause);
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    // No journal file beside it: nothing is ever written.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return true;
  } catch (cause) {
    if (isBusy(cause)) return false;
    throw lockFault(cause);
  }
}

async function ensureLockFile(lockPath: string): Promise<void> {
  try {
    await (await open(lockPath, 'a', 0o600)).close();
  } catch (cause) {
    throw lockFault(cause);
  }
}

const sqliteBusy = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
}

function lockFault(cause: unknown): FastnessError {
  return new FastnessError('KEYS_IO', 'The lock file beside it cannot be used.', { cause });
}
