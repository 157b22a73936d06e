import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSoftwareKeyStore, kdfBounds, openSoftwareKeyStore, type ManagedKeyStore } from '../src/index.ts';
import { expectCode } from './conformance.ts';

const passphrase = utf8Encode('correct horse battery staple');
const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
const context = utf8Encode('model-a|seal-1');
const secret = utf8Encode('0123456789abcdef');
const kek = { id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' } as const;

describe('keys of the software store that are out of use', () => {
  let folder: string;
  let store: ManagedKeyStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-managed-'));
    store = await createSoftwareKeyStore({ path: join(folder, 'keys'), passphrase, cost });
    await store.create(kek);
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('do nothing until they are enabled, in every process', async () => {
    await using other = await openSoftwareKeyStore({ path: join(folder, 'keys'), passphrase });
    const wrapped = await store.wrap('kek', secret, context);
    const { disabledAt } = await store.disable('kek');
    expect(disabledAt).toMatch(/^2\d{3}-/);
    // Disabling again does not restart the clock.
    expect((await store.disable('kek')).disabledAt).toBe(disabledAt);
    await store.disable('signer');
    for (const each of [store, other]) {
      await expectCode(each.unwrap(wrapped, context), 'KEYS_DISABLED');
      await expectCode(each.wrap('kek', secret, context), 'KEYS_DISABLED');
      await expectCode(each.rotate('kek'), 'KEYS_DISABLED');
      await expectCode(each.retire('kek', 1), 'KEYS_DISABLED');
      await expectCode(each.sign('signer', secret), 'KEYS_DISABLED');
      expect((await each.list()).every((key) => key.disabledAt !== undefined)).toBe(true);
    }
    // What was signed can still be verified.
    expect((await store.publicKey('signer')).length).toBeGreaterThan(32);
    expect(await other.enable('kek')).not.toHaveProperty('disabledAt');
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
  });

  it('are destroyed only when they are disabled', async () => {
    await expectCode(store.destroy('kek'), 'KEYS_NOT_DISABLED');
    await expectCode(store.destroy('absent'), 'KEYS_ID_UNKNOWN');
    await expectCode(store.disable('absent'), 'KEYS_ID_UNKNOWN');
    await expectCode(store.enable('absent'), 'KEYS_ID_UNKNOWN');
    const wrapped = await store.wrap('kek', secret, context);
    await store.disable('kek');
    await store.destroy('kek');
    expect((await store.list()).map(({ id }) => id)).toEqual(['signer']);
    await expectCode(store.unwrap(wrapped, context), 'KEYS_ID_UNKNOWN');
    // A key of the same name is another key.
    await store.create(kek);
    await expectCode(store.unwrap(wrapped, context), 'KEYS_UNWRAP');
  });
});
