import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/**
 * Where a client keeps what it must not forget between its starts: in a browser `localStorage`, in Node a file. Whoever can write
 * there can make the client forget.
 */
export interface ClientMemory {
  /** What was written last; undefined before that. */
  read(): Promise<string | undefined>;
  /** Resolves when it is kept. */
  write(text: string): Promise<void>;
}

/** The highest versions that a client accepted: it never goes below them. */
export interface Remembered {
  /** Of the owners' set of keys; 0 where the policy follows none. */
  readonly owners: number;
  /** Of releases, by model. */
  readonly releases: Readonly<Record<string, number>>;
}

const schema = z.strictObject({
  format: z.literal('fastness/client-memory/v1'),
  owners: z.int().min(0),
  releases: z
    .record(z.string().min(1).max(128), z.int().min(1))
    .refine((releases) => Object.keys(releases).length <= 10_000),
});

export const nothingRemembered: Remembered = Object.freeze({ owners: 0, releases: {} });

/** Errors: CLIENT_MEMORY_INVALID. */
export function readRemembered(text: string | undefined): Remembered {
  if (text === undefined) return nothingRemembered;
  try {
    const { owners, releases } = schema.parse(JSON.parse(text));
    return { owners, releases };
  } catch (cause) {
    throw new FastnessError('CLIENT_MEMORY_INVALID', undefined, { cause });
  }
}

/** What to keep once an enclave was accepted; undefined when that is what is kept. */
export function remember(
  { owners, releases }: Remembered,
  seen: { readonly owners: number; readonly modelId: string; readonly version: number },
): string | undefined {
  const { modelId, version } = seen;
  const before = Object.hasOwn(releases, modelId) ? (releases[modelId] ?? 0) : 0;
  if (seen.owners <= owners && version <= before) return undefined;
  return JSON.stringify({
    format: 'fastness/client-memory/v1',
    owners: Math.max(owners, seen.owners),
    releases: { ...releases, [modelId]: Math.max(before, version) },
  });
}
