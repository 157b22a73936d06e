import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyStoreIn, keyStoreSchema, openKeyStore, requireHardware } from '../src/key-stores.ts';
import type { BrokerPolicy } from '../src/policy.ts';

const passphrase = new TextEncoder().encode('correct horse battery staple');
const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
const refused = expect.objectContaining({ code: 'KEYS_HARDWARE_REQUIRED' }) as Error;

/** Only what is asked of a policy here. */
const policyWith = (required?: 'wrapping' | 'all'): BrokerPolicy =>
  (required === undefined ? {} : { requireHardware: required }) as BrokerPolicy;

describe('key stores of the broker', () => {
  let folder: string;
  let store: KeyStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-broker-keys-'));
    store = await createSoftwareKeyStore({ path: join(folder, 'keys'), passphrase, cost });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('are used without hardware where the policy does not ask for it', () => {
    requireHardware(policyWith(), { wrapping: store, signing: store });
  });

  it('are refused without hardware where it does', () => {
    // What hardware would be: the same store, saying so.
    const hardware = new Proxy(store, { get: (target, name) => name === 'hardware' || Reflect.get(target, name) });
    expect(() => requireHardware(policyWith('wrapping'), { wrapping: store, signing: hardware })).toThrow(refused);
    expect(() => requireHardware(policyWith('all'), { wrapping: store, signing: hardware })).toThrow(refused);
    expect(() => requireHardware(policyWith('all'), { wrapping: hardware, signing: store })).toThrow(refused);
    requireHardware(policyWith('wrapping'), { wrapping: hardware, signing: store });
    requireHardware(policyWith('all'), { wrapping: hardware, signing: hardware });
  });

  it('are opened as configured, with paths from the folder of the configuration', async () => {
    await writeFile(join(folder, 'pass'), passphrase, { mode: 0o600 });
    const config = keyStoreIn(folder, { kind: 'software', path: 'keys', passphrasePath: 'pass' });
    await using opened = await openKeyStore(config);
    expect(await opened.list()).toEqual([]);
    const token = { kind: 'pkcs11', uri: 'pkcs11:token=a?module-path=relative.so' } as const;
    expect(keyStoreIn(folder, token)).toEqual(token);
    await expect(openKeyStore(token)).rejects.toMatchObject({ code: 'KEYS_HSM_URI' });
  });

  it.each([
    ['aws-kms:eu-central-1?prefix=models', 'aws-kms:nowhere'],
    ['google-kms:projects/p/locations/l/keyRings/r', 'google-kms:projects/p'],
    ['azure-key-vault:https://models.vault.azure.net?credential=managed-identity', 'azure-key-vault:https://a.example'],
  ])('are opened in key services of clouds, which need no path and no secret: %s', async (uri, wrong) => {
    const cloud = { kind: 'cloud', uri } as const;
    expect(keyStoreIn(folder, keyStoreSchema.parse(cloud))).toEqual(cloud);
    await using opened = await openKeyStore(cloud);
    expect(opened).toMatchObject({ kind: uri.slice(0, uri.indexOf(':')), hardware: true });
    requireHardware(policyWith('all'), { wrapping: opened, signing: opened });
    await expect(openKeyStore({ ...cloud, uri: wrong })).rejects.toMatchObject({ code: 'KEYS_URI' });
  });

  it.each(['pkcs11:token=a', 'file:/keys'])('of kind cloud have no URI %s', (uri) => {
    expect(keyStoreSchema.safeParse({ kind: 'cloud', uri }).success).toBe(false);
  });
});
