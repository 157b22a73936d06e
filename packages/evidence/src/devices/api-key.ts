import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { errnoOf } from './kernel-file.ts';

const MAX_FILE = 1024;

/**
 * Reads the key of a service from a file that only its owner, this user or root, may read: an argument or the environment of a
 * process is there for others to see. Read anew each time, so a key can be changed in place. No error repeats it.
 * @throws EVIDENCE_API_KEY
 */
export async function readApiKey(path: string): Promise<string> {
  const refused = (why: string, cause?: unknown): FastnessError =>
    new FastnessError('EVIDENCE_API_KEY', `${path}: ${why}.`, { cause });
  // O_NONBLOCK: opening a pipe in place of the file must not hang.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await open(path, flags).catch((cause: unknown) => {
    throw refused(errnoOf(cause), cause);
  });
  const { mode, uid, size } = await file.stat();
  if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw refused('no regular file');
  if ((mode & 0o077) !== 0) throw refused(`its mode is 0${(mode & 0o777).toString(8)}`);
  if (uid !== process.geteuid?.() && uid !== 0) throw refused('it belongs to another user');
  if (size > MAX_FILE) throw refused(`more than ${MAX_FILE} bytes`);
  const key = (await file.readFile('utf8')).trim();
  if (!/^[!-~]+$/.test(key)) throw refused('no key in one line');
  return key;
}
