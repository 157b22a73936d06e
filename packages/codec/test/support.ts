import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { expect } from 'vitest';

/** Folder of recorded vectors; undefined where there is none. */
export const vectors: string | undefined = [
  process.env['FASTNESS_VECTORS'] ?? join(import.meta.dirname, '../../../../shared/vectors'),
].find((folder) => existsSync(folder));

/** Expects `work` to fail with exactly this code. */
export async function expectCode(code: ErrorCode, work: () => unknown): Promise<void> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  if (caught !== undefined && !(caught instanceof FastnessError)) throw caught;
  expect(caught?.code).toBe(code);
}

/** A seeded generator of integers from 0 to `below` - 1 (xorshift32): failures repeat. */
export function seeded(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Changes bytes, drops a range or doubles one, as the generator says. */
function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  const mutated = Array.from(bytes);
  for (let count = 1 + next(4); count > 0; count -= 1) {
    if (mutated.length === 0) mutated.push(next(256));
    const at = next(mutated.length);
    const length = 1 + next(16);
    const interesting = [0x00, 0x01, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xa3, 0xff, 0x30, next(256)];
    const kind = next(6);
    if (kind < 3) mutated[at] = interesting[next(interesting.length)] ?? 0;
    else if (kind === 3) mutated.splice(at, length);
    else if (kind === 4) mutated.splice(at, 0, ...mutated.slice(at, at + length));
    else mutated.length = at;
  }
  return Uint8Array.from(mutated);
}

/** Runs `parse` on many mutations of each sample: only typed errors may come out. */
export function fuzz(options: {
  readonly samples: readonly Uint8Array[];
  readonly rounds: number;
  readonly parse: (bytes: Uint8Array) => unknown;
}): void {
  const next = seeded(0x5eed);
  for (const sample of options.samples) {
    for (let round = 0; round < options.rounds; round += 1) {
      const input = mutate(sample, next);
      try {
        options.parse(input);
      } catch (error) {
        if (!(error instanceof FastnessError))
          throw new Error(`untyped error, input ${Buffer.from(input).toString('hex')}`, { cause: error });
      }
    }
  }
}
