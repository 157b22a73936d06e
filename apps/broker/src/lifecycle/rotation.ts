import { FastnessError } from '@fastness/codec/errors';
import type { KeyInfo, KeyStore, RotatableKeyStore } from '@fastness/keys';
import { z } from 'zod';
import { commitRecorded, type BrokerContext } from '../context.ts';
import { asStoreError } from '../store/index.ts';
import { rewrapReleases } from './rewrap.ts';
import { changeWrappingKey, readWrappingKey } from './wrapping-keys.ts';

/** Answer to `POST /v1/admin/wrapping-keys/rotate`. */
const rotatedSchema = z.strictObject({
  keyId: z.string(),
  version: z.int().positive(),
  /** Releases whose root key was wrapped anew. */
  rewrapped: z.int().nonnegative(),
});
export type Rotated = z.infer<typeof rotatedSchema>;

/**
 * Gives a wrapping key a new version and wraps the root keys of all registered releases under it. Sealed files are not
 * touched, and older versions go on unwrapping until the minimum is raised.
 *
 * The target is in the database before the key store is asked, so what a crash cuts off is finished by the next call,
 * to the same version. Throws `LIFECYCLE_KEY_UNKNOWN`, `LIFECYCLE_STORE_UNABLE`, `LIFECYCLE_KEY_DISABLED`,
 * `LIFECYCLE_KEY_DESTROYED`, `BROKER_KEY_STORE`.
 */
export async function rotateWrappingKey(context: BrokerContext, keyId: string): Promise<Rotated> {
  const store = rotatable(context.keyStore);
  const info = await wrappingKeyInfo(store, keyId);
  const version = await commitRecorded(context, async (trx) => {
    const row = await readWrappingKey(trx, keyId);
    if (row.state !== 'enabled') throw new FastnessError('LIFECYCLE_KEY_DISABLED', `${keyId}: ${row.state}.`);
    const target = row.rotation_target ?? info.version + 1;
    await changeWrappingKey(trx, keyId, { rotation_target: target });
    return { kind: 'rotation-begun', facts: { wrappingKey: keyId, version: target }, result: target };
  });
  if (info.version < version) await asKeyStoreError(() => store.rotate(keyId));
  const rewrapped = await asKeyStoreError(() => rewrapReleases(context, keyId, version));
  await commitRecorded(context, async (trx) => {
    await changeWrappingKey(trx, keyId, { rotation_target: null, rotated_at: context.now().toISOString() });
    return {
      kind: 'rotation-finished',
      facts: { wrappingKey: keyId, version, rewrapped },
      result: undefined,
    };
  });
  return { keyId, version, rewrapped };
}

/**
 * Keys whose scheduled rotation is due: those never rotated count from their creation; a rotation that a crash cut off
 * is always due.
 */
export async function dueRotations(context: BrokerContext): Promise<string[]> {
  const schedule = context.governance?.options.rotation ?? [];
  const due: string[] = [];
  for (const { keyId, everySeconds } of schedule) {
    const row = await asStoreError(() => readWrappingKey(context.db, keyId));
    if (row.state !== 'enabled') continue;
    const since = row.rotated_at ?? (await wrappingKeyInfo(context.keyStore, keyId)).createdAt;
    const age = context.now().getTime() - Date.parse(since);
    if (row.rotation_target !== null || age >= everySeconds * 1000) due.push(keyId);
  }
  return due;
}

/** What the key store says of a wrapping key. Throws `LIFECYCLE_KEY_UNKNOWN`, `BROKER_KEY_STORE`. */
export async function wrappingKeyInfo(store: KeyStore, keyId: string): Promise<KeyInfo> {
  const keys = await asKeyStoreError(() => store.list());
  const info = keys.find((key) => key.id === keyId && key.purpose === 'wrap');
  if (info === undefined) throw new FastnessError('LIFECYCLE_KEY_UNKNOWN', keyId);
  return info;
}

function rotatable(store: KeyStore): RotatableKeyStore {
  if (isRotatable(store)) return store;
  throw new FastnessError('LIFECYCLE_STORE_UNABLE', `The store is ${store.kind}.`);
}

function isRotatable(store: KeyStore): store is RotatableKeyStore {
  return 'rotate' in store && typeof store.rotate === 'function';
}

/** Errors of the key store are not told to clients as they are. */
export async function asKeyStoreError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof FastnessError && !cause.code.startsWith('KEYS_')) throw cause;
    throw new FastnessError('BROKER_KEY_STORE', undefined, { cause });
  }
}
