import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore, ManagedKeyStore } from '@fastness/keys';
import { commitRecorded, type BrokerContext, type Recorded } from '../context.ts';
import { asStoreError, type BrokerDatabase } from '../store/index.ts';
import { hitLeases } from './hit-leases.ts';
import { requireGovernance } from './in-force.ts';
import { asKeyStoreError, wrappingKeyInfo } from './rotation.ts';
import { governed, type WrappingKeyState } from './tables.ts';
import { listWrappingKeys, moveWrappingKey } from './wrapping-keys.ts';

/** A change of a key's state, as it is answered. */
export interface KeyStateChange {
  readonly keyId: string;
  readonly state: WrappingKeyState;
  readonly destroyAt?: string;
  /** Leases that will not be renewed while it stays so. */
  readonly runningLeases: number;
}

/**
 * Takes a key out of use or back into it. Neither keys are released nor leases renewed while it is disabled.
 * Throws `LIFECYCLE_DESTRUCTION_STATE`, `LIFECYCLE_KEY_UNKNOWN`.
 */
export async function setKeyEnabled(context: BrokerContext, keyId: string, enabled: boolean): Promise<KeyStateChange> {
  await wrappingKeyInfo(context.keyStore, keyId);
  const state = enabled ? 'enabled' : 'disabled';
  return await commitRecorded(context, (trx) => moveTo(context, trx, keyId, ['enabled', 'disabled'], { state }));
}

/** Checks that a destruction could be scheduled. Throws `LIFECYCLE_DESTRUCTION_DELAY`, `LIFECYCLE_KEY_UNKNOWN`, `LIFECYCLE_STORE_UNABLE`. */
export async function checkDestruction(context: BrokerContext, keyId: string, delaySeconds: number): Promise<void> {
  const { minimumSeconds, maximumSeconds } = requireGovernance(context).options.destructionDelay;
  if (delaySeconds < minimumSeconds || delaySeconds > maximumSeconds) {
    throw new FastnessError('LIFECYCLE_DESTRUCTION_DELAY', `From ${minimumSeconds} to ${maximumSeconds} seconds.`);
  }
  destroying(context.keyStore);
  await wrappingKeyInfo(context.keyStore, keyId);
}

/** Schedules the destruction of a key, which is out of use from now on. To be run in a transaction. */
export function prepareDestruction(
  context: BrokerContext,
  keyId: string,
  delaySeconds: number,
  proposal?: string,
): (trx: BrokerDatabase) => Promise<Recorded<'wrapping-key-state', KeyStateChange>> {
  return async (trx) => {
    const destroyAt = new Date(context.now().getTime() + delaySeconds * 1000).toISOString();
    const change = { state: 'destruction-scheduled', destroyAt } as const;
    return await moveTo(context, trx, keyId, ['enabled', 'disabled'], change, proposal);
  };
}

/** Calls a scheduled destruction off; the key stays disabled. Throws `LIFECYCLE_DESTRUCTION_STATE`. */
export async function cancelDestruction(context: BrokerContext, keyId: string): Promise<KeyStateChange> {
  return await commitRecorded(context, (trx) =>
    moveTo(context, trx, keyId, ['destruction-scheduled'], { state: 'disabled' }),
  );
}

/**
 * Destroys the keys whose delay is over. Written down before the key store is asked, and again when it is done: what a
 * crash cuts off is finished later, and cannot be cancelled in between.
 */
export async function destroyDueKeys(context: BrokerContext): Promise<string[]> {
  const destroyed: string[] = [];
  for (const { key_id: keyId, state, destroy_at: at } of await asStoreError(() => listWrappingKeys(context.db))) {
    if (state === 'destruction-scheduled') {
      if (at === null || at > context.now().toISOString()) continue;
      await commitRecorded(context, (trx) =>
        moveTo(context, trx, keyId, ['destruction-scheduled'], { state: 'destroying' }),
      );
    } else if (state !== 'destroying') continue;
    await destroyInStore(destroying(context.keyStore), keyId);
    await commitRecorded(context, (trx) => moveTo(context, trx, keyId, ['destroying'], { state: 'destroyed' }));
    destroyed.push(keyId);
  }
  return destroyed;
}

async function moveTo(
  context: BrokerContext,
  trx: BrokerDatabase,
  keyId: string,
  from: readonly WrappingKeyState[],
  { state, destroyAt }: { readonly state: WrappingKeyState; readonly destroyAt?: string },
  proposal?: string,
): Promise<Recorded<'wrapping-key-state', KeyStateChange>> {
  if (!(await moveWrappingKey(trx, keyId, from, { state, destroy_at: destroyAt ?? null }))) {
    const row = await governed(trx)
      .selectFrom('wrapping_keys')
      .select('state')
      .where('key_id', '=', keyId)
      .executeTakeFirst();
    throw new FastnessError('LIFECYCLE_DESTRUCTION_STATE', `${keyId}: ${row?.state ?? 'enabled'}.`);
  }
  const hit = state === 'enabled' ? [] : await hitLeases(context, trx, { kind: 'key', value: `wrap:${keyId}` });
  const change = { state, runningLeases: hit.length, ...(destroyAt === undefined ? {} : { destroyAt }) };
  return {
    kind: 'wrapping-key-state',
    facts: { wrappingKey: keyId, ...change, ...(proposal === undefined ? {} : { proposal }) },
    result: { keyId, ...change },
  };
}

async function destroyInStore(store: ManagedKeyStore, keyId: string): Promise<void> {
  const gone = async (): Promise<boolean> => !(await store.list()).some((key) => key.id === keyId);
  await asKeyStoreError(async () => {
    if (await gone()) return;
    await store.disable(keyId);
    await store.destroy(keyId);
  });
}

function destroying(store: KeyStore): ManagedKeyStore {
  if (isManaged(store)) return store;
  throw new FastnessError('LIFECYCLE_STORE_UNABLE', `The store is ${store.kind}.`);
}

function isManaged(store: KeyStore): store is ManagedKeyStore {
  return 'destroy' in store && typeof store.destroy === 'function' && 'disable' in store;
}
