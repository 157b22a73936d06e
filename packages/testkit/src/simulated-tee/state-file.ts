import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';

const NAME = 'state.json';
const MAX_BYTES = 256 * 1024;

/** The stored text, or undefined when there is none yet. @throws TESTKIT_STATE, TESTKIT_STATE_PERMISSIONS */
export async function readStateFile(directory: string): Promise<string | undefined> {
  const path = join(directory, NAME);
  const facts = await lstat(path).catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw new FastnessError('TESTKIT_STATE', path, { cause });
  });
  if (facts === undefined) return undefined;
  if (!facts.isFile() || facts.size > MAX_BYTES) throw new FastnessError('TESTKIT_STATE', path);
  if ((facts.mode & 0o077) !== 0) throw new FastnessError('TESTKIT_STATE_PERMISSIONS', path);
  return readFile(path, 'utf8');
}

/**
 * Stores the first state. Of several processes that start at once, one wins and all use its state.
 * @returns false when another process was first
 */
export async function createStateFile(directory: string, text: string): Promise<boolean> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = await writeTemporary(directory, text);
  try {
    await link(temporary, join(directory, NAME));
    return true;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false;
    throw new FastnessError('TESTKIT_STATE', directory, { cause });
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Replaces the state in one step: a reader finds the old text or the new one. */
export async function replaceStateFile(directory: string, text: string): Promise<void> {
  const temporary = await writeTemporary(directory, text);
  await rename(temporary, join(directory, NAME));
}

async function writeTemporary(directory: string, text: string): Promise<string> {
  const path = join(directory, `.${NAME}.${randomUUID()}`);
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
