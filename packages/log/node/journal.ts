import { constants } from 'node:fs';
import { open, readdir, readFile, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, equalBytes, u64be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { BeforeDiskStep, DurableFiles } from './files.ts';
import { sha256 } from './hasher.ts';

const checkLength = 8;
const namePattern = /^(\d{16})$/;

/**
 * The journal makes an append durable with one write and one fdatasync; tiles follow later. A file of it holds the entries
 * from the number in its name on, each as the bundle will hold it and a check over number and bytes behind it, so that a
 * write which a crash cut short is told from an entry.
 */
export interface Journal {
  /** Writes entries from number `first` on; they are on disk when this resolves. After a rejection it is used no more. */
  append(first: number, framed: readonly Uint8Array[]): Promise<void>;
  /** Begins a new file at `base`, for what is in tiles needs no journal, and removes the ones before it. */
  rotate(base: number): Promise<void>;
  close(): Promise<void>;
}

/** What a file of the journal holds: framed entries, and bytes behind them that are none. */
export interface JournalFile {
  readonly base: number;
  readonly framed: readonly Uint8Array[];
  readonly wholeBytes: number;
  readonly tornBytes: number;
}

const recordOf = (index: number, framed: Uint8Array): Uint8Array =>
  concatBytes(framed, sha256(concatBytes(u64be(index), framed)).subarray(0, checkLength));

const pathOf = (folder: string, base: number): string => join(folder, String(base).padStart(16, '0'));

/** Reads every file of a journal, in the order of their numbers. */
export async function readJournal(folder: string): Promise<JournalFile[]> {
  const names = (await readdir(folder)).filter((name) => namePattern.test(name)).sort();
  return await Promise.all(
    names.map(async (name) => {
      const base = Number(name);
      if (!Number.isSafeInteger(base)) throw new FastnessError('LOG_STORE_DAMAGED', `Journal ${name}.`);
      return parseJournal(base, new Uint8Array(await readFile(join(folder, name))));
    }),
  );
}

function parseJournal(base: number, bytes: Uint8Array): JournalFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const framed: Uint8Array[] = [];
  let offset = 0;
  while (offset + 2 <= bytes.length) {
    const end = offset + 2 + view.getUint16(offset);
    if (end + checkLength > bytes.length) break;
    const entry = bytes.slice(offset, end);
    if (!equalBytes(recordOf(base + framed.length, entry), bytes.subarray(offset, end + checkLength))) break;
    framed.push(entry);
    offset = end + checkLength;
  }
  return { base, framed, wholeBytes: offset, tornBytes: bytes.length - offset };
}

/** Opens the journal for writing behind `last`, or begins a new file at `base`. */
export async function openJournal(options: {
  folder: string;
  files: DurableFiles;
  before: BeforeDiskStep;
  last: JournalFile | undefined;
  base: number;
}): Promise<Journal> {
  const { folder, files, before, last } = options;
  let base = last?.base ?? options.base;
  let file: FileHandle;
  let position = last?.wholeBytes ?? 0;
  if (last === undefined) {
    file = await create(base);
  } else {
    file = await open(pathOf(folder, base), constants.O_RDWR | constants.O_NOFOLLOW);
    // What follows the whole entries was acknowledged to nobody.
    try {
      if (last.tornBytes > 0) {
        await before('cut-journal');
        await file.truncate(position);
        await file.datasync();
      }
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async function create(at: number): Promise<FileHandle> {
    await before('create-journal');
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const created = await open(pathOf(folder, at), flags, 0o600);
    try {
      await created.sync();
      await files.syncFolder(folder);
      return created;
    } catch (error) {
      await created.close();
      throw error;
    }
  }

  return {
    async append(first, framed) {
      const bytes = concatBytes(...framed.map((entry, place) => recordOf(first + place, entry)));
      await before('write-journal');
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
      await before('sync-journal');
      await file.datasync();
      position += bytes.length;
    },
    async rotate(at) {
      if (at === base) return;
      const next = await create(at);
      const done = file;
      [file, base, position] = [next, at, 0];
      await done.close();
      await before('remove-journal');
      const names = (await readdir(folder)).filter((name) => namePattern.test(name) && Number(name) < at);
      for (const name of names) await unlink(join(folder, name));
    },
    close: async () => file.close(),
  };
}
