import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Makes the directory if it is not there, and refuses one that is a link, is someone else's, or that others may write to:
 * its content is authenticated, but whoever writes there could delete the memory of what was seen. Throws
 * ENDORSEMENT_CACHE_UNSAFE, ENDORSEMENT_CACHE_FAILED.
 */
export async function openPrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const facts = await lstat(path);
    const owner = process.getuid?.();
    if (!facts.isDirectory()) throw new FastnessError('ENDORSEMENT_CACHE_UNSAFE', `${path} is not a directory.`);
    if (owner !== undefined && facts.uid !== owner) {
      throw new FastnessError('ENDORSEMENT_CACHE_UNSAFE', `${path} belongs to user ${facts.uid}.`);
    }
    if ((facts.mode & 0o022) !== 0) {
      throw new FastnessError('ENDORSEMENT_CACHE_UNSAFE', `${path} has mode ${(facts.mode & 0o777).toString(8)}.`);
    }
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('ENDORSEMENT_CACHE_FAILED', path, { cause });
  }
}

/** Writes a file of its own and gives it its name: readers see all of the old content or all of the new. */
export async function writeAtomic(directory: string, name: string, content: Uint8Array): Promise<void> {
  const temporary = join(directory, `.${name}.${process.pid}.${randomBytes(6).toString('hex')}`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(directory, name));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new FastnessError('ENDORSEMENT_CACHE_FAILED', join(directory, name), { cause });
  }
}

/** The file, or undefined when there is none or it is larger than `maxBytes`. Links are not followed out of the cache. */
export async function readSmall(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    const facts = await lstat(path);
    if (!facts.isFile() || facts.size > maxBytes) return undefined;
    return new Uint8Array(await readFile(path));
  } catch {
    return undefined;
  }
}
