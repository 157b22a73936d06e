import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asIoError } from '../threads/file-io.ts';
import { syncFolder } from './staging.ts';

/** Writes a file that does not exist yet, durably. Errors: SEAL_IO. */
export async function writeNewFile(folder: string, name: string, text: string): Promise<void> {
  try {
    await using handle = await open(join(folder, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    throw asIoError(error);
  }
}

/** Makes the entries of a folder and of all folders below it durable; files sync themselves. Errors: SEAL_IO. */
export async function syncFolders(folder: string): Promise<void> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
    }
    await syncFolder(folder);
  } catch (error) {
    throw asIoError(error);
  }
}
