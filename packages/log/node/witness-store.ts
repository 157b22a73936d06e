import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCheckpoint, parseNote, type WitnessStore } from '@fastness/log';
import { durableFiles, type BeforeDiskStep } from './files.ts';
import { sha256 } from './hasher.ts';
import { lockFile } from './lock.ts';

/**
 * Keeps what a witness cosigned in a folder: per log a file with the newest checkpoint, replaced and synced before the
 * cosignature goes out. One process has it open at a time.
 *
 * A witness whose folder was put back to an earlier state would cosign a fork: it has to be retired, and its key with it.
 * @throws LOG_LOCKED
 */
export async function openWitnessStore(options: {
  directory: string;
  beforeDiskStep?: BeforeDiskStep;
}): Promise<WitnessStore & AsyncDisposable> {
  const { directory, beforeDiskStep = () => {} } = options;
  const temporaryFolder = join(directory, 'tmp');
  const files = durableFiles(temporaryFolder, beforeDiskStep);
  await files.makeFolder(temporaryFolder);
  const lock = lockFile(join(directory, 'lock'));
  const pathOf = (origin: string): string => join(directory, `${toHex(sha256(utf8Encode(origin)))}.checkpoint`);
  return {
    async read(origin) {
      let note: string;
      try {
        note = await readFile(pathOf(origin), 'utf8');
      } catch (cause) {
        if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
        throw new FastnessError('LOG_UNAVAILABLE', 'State of the witness.', { cause });
      }
      try {
        const checkpoint = parseCheckpoint(parseNote(note).text);
        if (checkpoint.origin !== origin) throw new FastnessError('LOG_ORIGIN');
        return checkpoint;
      } catch (cause) {
        throw new FastnessError('LOG_WITNESS_STATE', pathOf(origin), { cause });
      }
    },
    write: async (origin, { note }) => files.replace(pathOf(origin), utf8Encode(note)),
    [Symbol.asyncDispose]: async () => {
      lock[Symbol.dispose]();
    },
  };
}
