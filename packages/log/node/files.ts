import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Called in front of every change of the disk, with what it is; a rejection stops the change. For tests of crashes. */
export type BeforeDiskStep = (step: string) => void | Promise<void>;

/** Writes files so that each is there whole or not at all, also after a crash. */
export interface DurableFiles {
  /** Makes a folder, its parents too; each is on disk when this resolves. */
  makeFolder(path: string): Promise<void>;
  /** Writes a file under another name, syncs it and moves it to its place. The folder is not synced yet. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  syncFolder(path: string): Promise<void>;
  /** As `write`, and syncs the folder. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
}

/** `temporaryFolder` is on the same file system, and is emptied by whoever opens it. */
export function durableFiles(temporaryFolder: string, before: BeforeDiskStep): DurableFiles {
  const syncFolder = async (path: string): Promise<void> => {
    await before('sync-folder');
    await using folder = await open(path, 'r');
    await folder.sync();
  };
  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    const temporary = join(temporaryFolder, randomBytes(8).toString('hex'));
    await before('write-file');
    try {
      {
        await using file = await open(temporary, 'wx', 0o644);
        await file.writeFile(bytes);
        await before('sync-file');
        await file.sync();
      }
      await before('rename-file');
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  };
  const makeFolder = async (path: string): Promise<void> => {
    await before('make-folder');
    // The first folder that was made; its parent has the new name in it.
    const first = await mkdir(path, { recursive: true, mode: 0o755 });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
  };
  return {
    makeFolder,
    write,
    syncFolder,
    async replace(path, bytes) {
      await write(path, bytes);
      await syncFolder(dirname(path));
    },
  };
}
