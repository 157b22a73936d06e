import { lstat, readdir } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { packageFiles, unsignedFiles } from '../package-files.ts';
import { asIoError } from '../threads/file-io.ts';
import type { Target } from './staging.ts';

/** What a sealed model's folder may hold; a folder with anything else is not ours to delete. */
const ownEntries: ReadonlySet<string> = new Set([
  packageFiles.manifest,
  packageFiles.release,
  'files',
  ...unsignedFiles,
]);

/**
 * Whether the target is there and may be replaced. Errors: SEAL_TARGET_FOREIGN, SEAL_TARGET_SIGNED, SEAL_IO.
 */
export async function checkReplaceable({ path }: Target, evenSigned: boolean): Promise<boolean> {
  let entries: string[];
  try {
    if (!(await lstat(path)).isDirectory()) throw new FastnessError('SEAL_TARGET_FOREIGN', 'It is not a folder.');
    entries = await readdir(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw asIoError(error);
  }
  if (!entries.includes('manifest.json') || !entries.includes('keys.json')) {
    throw new FastnessError('SEAL_TARGET_FOREIGN', 'It holds no manifest.json and keys.json.');
  }
  const foreign = entries.find((entry) => !ownEntries.has(entry));
  if (foreign !== undefined)
    throw new FastnessError('SEAL_TARGET_FOREIGN', `It also holds ${JSON.stringify(foreign)}.`);
  if (entries.includes('model.sig') && !evenSigned) throw new FastnessError('SEAL_TARGET_SIGNED');
  return true;
}
