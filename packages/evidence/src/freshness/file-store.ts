import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { MAX_RECORD_BYTES } from './record.ts';

/** Keeps one record. `write` resolves when the record survives a power cut; after a crash the old or the new one is there. */
export interface RecordStore {
  read(): Promise<Uint8Array | undefined>;
  write(record: Uint8Array): Promise<void>;
}

/** A record in a file of mode 0600: written beside it, fsync, renamed over it, fsync of the folder. */
export function recordFile(path: string): RecordStore {
  const temporary = `${path}.new`;
  return {
    async read() {
      try {
        await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
        const { size } = await file.stat();
        if (size > MAX_RECORD_BYTES) throw new FastnessError('FRESHNESS_RECORD_INVALID', `It has ${size} bytes.`);
        return new Uint8Array(await file.readFile());
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
        throw error;
      }
    },
    async write(record) {
      {
        const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
        await using file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
        await file.writeFile(record);
        await file.sync();
      }
      await rename(temporary, path);
      await using folder = await open(dirname(path), 'r');
      await folder.sync();
    },
  };
}
