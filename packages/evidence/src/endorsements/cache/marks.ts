import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { Judgement } from '../types.ts';
import { readSmall, writeAtomic } from './directory.ts';
import { sealOf } from './entry.ts';

/**
 * Remembers, for each subject, the latest date of issue and the highest number that was ever seen, so that a service, a
 * bundle or an old copy of the cache cannot bring back a list or TCB info from before a revocation.
 *
 * A mark is a file whose name holds the value. Processes only ever add files and delete lower ones, so they need no lock:
 * the highest name wins, whoever wrote last. Not protected against: whoever can delete files here makes it forget.
 */
export interface Marks {
  /** Throws ENDORSEMENT_ROLLED_BACK for what is older than a mark. */
  check(subject: string, judgement: Judgement): Promise<void>;
  /** Remembers. Throws ENDORSEMENT_CACHE_FAILED. */
  raise(subject: string, judgement: Judgement): Promise<void>;
}

const DIGITS = 50;
const MARK_NAME = /^(issued|number)-(\d{50})$/;
const MAX_MARK = 64;

type Values = Partial<Record<'issued' | 'number', bigint>>;

export function createMarks(
  directory: string,
  fileOf: (subject: string) => string,
  key: Uint8Array | undefined,
): Marks {
  const read = async (subject: string): Promise<{ highest: Values; names: string[]; folder: string }> => {
    const folder = join(directory, fileOf(subject));
    const highest: Values = {};
    const names = await list(folder);
    for (const name of names) {
      const [, kind, digits] = MARK_NAME.exec(name) ?? [];
      if ((kind !== 'issued' && kind !== 'number') || digits === undefined) continue;
      const value = BigInt(digits);
      if (value <= (highest[kind] ?? -1n)) continue;
      const seal = await readSmall(join(folder, name), MAX_MARK);
      // Without the right seal it is not a mark: with a key, the host cannot make the cache refuse everything either.
      if (seal !== undefined && equalBytes(seal, sealFor(subject, name, key))) highest[kind] = value;
    }
    return { highest, names, folder };
  };

  return Object.freeze<Marks>({
    async check(subject, judgement) {
      const { highest } = await read(subject);
      const values = valuesOf(judgement);
      for (const kind of ['number', 'issued'] as const) {
        const [seen, found] = [highest[kind], values[kind]];
        if (seen === undefined || (found !== undefined && found >= seen)) continue;
        throw new FastnessError(
          'ENDORSEMENT_ROLLED_BACK',
          `${subject}: ${show(kind, found)}, after ${show(kind, seen)}.`,
        );
      }
    },
    async raise(subject, judgement) {
      const { highest, names, folder } = await read(subject);
      const values = valuesOf(judgement);
      for (const kind of ['number', 'issued'] as const) {
        const value = values[kind];
        if (value === undefined || value <= (highest[kind] ?? -1n)) continue;
        const name = `${kind}-${value.toString().padStart(DIGITS, '0')}`;
        try {
          await mkdir(folder, { recursive: true, mode: 0o700 });
        } catch (cause) {
          throw new FastnessError('ENDORSEMENT_CACHE_FAILED', folder, { cause });
        }
        await writeAtomic(folder, name, sealFor(subject, name, key));
        // Only lower ones: a higher one that another process has just written must stay.
        const lower = names.filter((other) => other.startsWith(`${kind}-`) && other < name);
        await Promise.all(lower.map(async (other) => rm(join(folder, other), { force: true }).catch(() => {})));
      }
    },
  });
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    // Marks that cannot be read must not count as none.
    throw new FastnessError('ENDORSEMENT_CACHE_FAILED', folder, { cause });
  }
}

function valuesOf({ issued, number }: Judgement): Values {
  return { issued: BigInt(issued.getTime()), ...(number === undefined ? {} : { number }) };
}

function sealFor(subject: string, name: string, key: Uint8Array | undefined): Uint8Array {
  return sealOf(utf8Encode(`mark\0${subject}\0${name}`), key);
}

function show(kind: keyof Values, value: bigint | undefined): string {
  if (value === undefined) return 'without a number';
  return kind === 'issued' ? `issued ${new Date(Number(value)).toISOString()}` : `number ${value}`;
}
