import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { concatBytes } from '@fastness/codec';

/**
 * Reads a file of /proc, /sys, configfs or securityfs to its end: they state no size, and a read may end early.
 * @param flags beside O_RDONLY, such as O_NOFOLLOW
 * @returns undefined where it has more than `most` bytes. Throws what the system says.
 */
export async function readKernelFile(path: string, most: number, flags = 0): Promise<Uint8Array | undefined> {
  await using file = await open(path, constants.O_RDONLY | flags);
  const parts: Uint8Array[] = [];
  for (let total = 0; ;) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(65_536), 0, 65_536, null);
    if (bytesRead === 0) return concatBytes(...parts);
    total += bytesRead;
    if (total > most) return undefined;
    parts.push(buffer.subarray(0, bytesRead));
  }
}

/** The name that the system gives an error, such as `ENOENT`; `unknown` when it gives none. */
export function errnoOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown';
}
