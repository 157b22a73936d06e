import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';
import { asIoError } from '../threads/file-io.ts';
import { newOwnerTag, ownerIsGone } from './owner-tag.ts';

/*
 * How a sealed model comes to its place. For a target T in a folder:
 *
 *   .T.sealing-<owner>   being written; nobody reads it
 *   T                    the sealed model
 *   .T.replaced          the old T, between the two renames of a replacement
 *   .T.discarded-<owner> on its way out
 *
 * New: write and fsync .T.sealing, rename it to T. Replacement: rename T to .T.replaced, .T.sealing to T, .T.replaced to
 * .T.discarded, delete that. A crash leaves T old or new, or no T and .T.replaced: whoever reads or seals T next puts
 * that back. Everything here is ciphertext.
 */

/** A path for a sealed model: its folder with links resolved, and the name in it. */
export interface Target {
  readonly folder: string;
  readonly name: string;
  readonly path: string;
}

const maxNameLength = 120;

/** Errors: SEAL_TARGET_INVALID, SEAL_IO. */
export async function targetOf(path: string): Promise<Target> {
  const absolute = resolve(path);
  const name = basename(absolute);
  if (name.length === 0 || Buffer.byteLength(name) > maxNameLength || name.startsWith('.')) {
    throw new FastnessError('SEAL_TARGET_INVALID', 'Its last part is empty, too long or begins with a dot.');
  }
  try {
    const folder = await realpath(dirname(absolute));
    return { folder, name, path: join(folder, name) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') {
      throw new FastnessError('SEAL_TARGET_INVALID', 'Its folder does not exist.');
    }
    throw asIoError(error);
  }
}

/** A free path beside the target; what a dead process left under such a name is deleted by `recoverTarget`. */
export function stagingPath({ folder, name }: Target): string {
  return join(folder, `.${name}.sealing-${newOwnerTag()}`);
}

/** A fresh folder beside the target to write into. Errors: SEAL_IO. */
export async function createStaging(target: Target): Promise<string> {
  const path = stagingPath(target);
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    throw asIoError(error);
  }
}

/**
 * Moves a finished folder to the target; `replace` when a sealed model is there. A second process doing the same is
 * noticed, since a rename never goes over a folder that holds something.
 * Errors: SEAL_TARGET_BUSY, SEAL_IO.
 */
export async function moveIntoPlace(staging: string, target: Target, replace: boolean): Promise<void> {
  try {
    if (replace) await rename(target.path, replacedPath(target));
    await rename(staging, target.path);
    await syncFolder(target.folder);
    if (replace) await discard(target, replacedPath(target));
  } catch (error) {
    if (replace) await restoreReplaced(target).catch(() => undefined);
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') {
      throw new FastnessError('SEAL_TARGET_BUSY', undefined, { cause: error });
    }
    throw asIoError(error);
  }
}

/**
 * Puts right what a crash left: an interrupted replacement is undone, a finished one cleaned up, and folders whose
 * writers are gone are deleted. Errors: SEAL_IO.
 */
export async function recoverTarget(target: Target): Promise<void> {
  try {
    await restoreReplaced(target);
    if ((await exists(replacedPath(target))) && (await exists(target.path))) {
      await discard(target, replacedPath(target));
    }
    for (const entry of await readdir(target.folder)) {
      const tag = tagOf(entry, target);
      if (tag !== undefined && ownerIsGone(tag)) {
        await rm(join(target.folder, entry), { recursive: true, force: true });
      }
    }
  } catch (error) {
    throw asIoError(error);
  }
}

/**
 * Undoes a replacement that was cut off between its renames: no target, and the old one beside it. A live replacement
 * looks the same for some microseconds, so it waits before it acts. Does nothing, and needs no right to write,
 * where there is nothing to undo. Errors: SEAL_IO.
 */
export async function restoreReplaced(target: Target): Promise<void> {
  for (const pause of [20, 80]) {
    if ((await exists(target.path)) || !(await exists(replacedPath(target)))) return;
    await sleep(pause);
  }
  try {
    await rename(replacedPath(target), target.path);
    await syncFolder(target.folder);
  } catch (error) {
    // Someone else was faster, with either.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return;
    throw asIoError(error);
  }
}

/** Makes a folder's entries durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function replacedPath({ folder, name }: Target): string {
  return join(folder, `.${name}.replaced`);
}

/** Renamed first: nobody may find half of it under a name that means something. */
async function discard({ folder, name }: Target, path: string): Promise<void> {
  const discarded = join(folder, `.${name}.discarded-${newOwnerTag()}`);
  try {
    await rename(path, discarded);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await rm(discarded, { recursive: true, force: true });
}

function tagOf(entry: string, { name }: Target): string | undefined {
  const prefix = [`.${name}.sealing-`, `.${name}.discarded-`].find((start) => entry.startsWith(start));
  return prefix === undefined ? undefined : entry.slice(prefix.length);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
