import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';

/** Cost of Argon2id (RFC 9106), stored with each key store so that it can rise over the years. */
export interface KdfCost {
  /** KiB of memory. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes. */
export const defaultKdfCost: KdfCost = Object.freeze({ memory: 65_536, passes: 3, parallelism: 4 });

/**
 * What is accepted on reading: the costs come before any authentication, so the file's author may not choose
 * gigabytes or hours; nor may a store be made so cheap that its passphrase can be guessed.
 */
export const kdfBounds = Object.freeze({
  memory: Object.freeze({ min: 19_456, max: 1_048_576 }),
  passes: Object.freeze({ min: 2, max: 64 }),
  parallelism: Object.freeze({ min: 1, max: 16 }),
});

export const saltBytes = 16;

/** Errors: KEYS_KDF_BOUNDS. */
export function checkKdfCost(cost: KdfCost): void {
  for (const name of ['memory', 'passes', 'parallelism'] as const) {
    const value = cost[name];
    const { min, max } = kdfBounds[name];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new FastnessError('KEYS_KDF_BOUNDS', `${name} is ${value}; accepted: ${min} to ${max}.`);
    }
  }
}

const argon2Async = promisify(argon2);

/** The 32-byte key of a store's file, Argon2id version 1.3. The caller wipes it. Errors: KEYS_KDF_BOUNDS. */
export async function deriveFileKey(passphrase: Uint8Array, salt: Uint8Array, cost: KdfCost): Promise<Uint8Array> {
  checkKdfCost(cost);
  const key = await argon2Async('argon2id', {
    message: passphrase,
    nonce: salt,
    memory: cost.memory,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: 32,
  });
  const copy = new Uint8Array(key);
  key.fill(0);
  return copy;
}
