import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { utf8Encode } from '@fastness/codec/bytes';
import { asOmsError } from './io-error.ts';

/**
 * Replaces a text file so that a crash leaves the old or the new one, never a part: temporary file, fsync, rename,
 * fsync of the folder. Errors: OMS_IO.
 */
export async function writeTextFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    try {
      await using file = await open(temporary, 'wx', 0o644);
      await file.writeFile(utf8Encode(text));
      await file.sync();
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await rename(temporary, path);
    await using handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await handle.sync();
  } catch (error) {
    throw asOmsError(error);
  }
}
