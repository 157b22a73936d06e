import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex, utf8Encode } from '@fastness/codec';
import { createSoftwareKeyStore, openSoftwareKeyStore, readPassphraseFile, type KeyStore } from '@fastness/keys';
import { verifierKeyOf, type SignEd25519, type VerifierKey } from '@fastness/log';
import { makePrivateDirectory, writeFileAtomic } from './home.ts';

/** The key of a witness, kept in a software store beside its state; made when there is none. */
export interface WitnessKey extends AsyncDisposable {
  readonly key: VerifierKey;
  readonly sign: SignEd25519;
}

export async function openWitnessKey(directory: string, name: string): Promise<WitnessKey> {
  await makePrivateDirectory(directory);
  const path = join(directory, 'witness.keystore');
  const passphrasePath = join(directory, 'witness.pass');
  const store: KeyStore = existsSync(path) ? await open(path, passphrasePath) : await create(path, passphrasePath);
  const publicKey = (await store.publicKey('witness')).slice(-32);
  return {
    key: await verifierKeyOf({ name, publicKey, algorithm: 'cosignature/v1' }),
    sign: (message) => store.sign('witness', message),
    [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose](),
  };
}

async function open(path: string, passphrasePath: string): Promise<KeyStore> {
  const passphrase = await readPassphraseFile(passphrasePath);
  try {
    return await openSoftwareKeyStore({ path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

async function create(path: string, passphrasePath: string): Promise<KeyStore> {
  const passphrase = utf8Encode(toHex(randomBytes(32)));
  try {
    await writeFileAtomic(passphrasePath, passphrase);
    const store = await createSoftwareKeyStore({ path, passphrase });
    await store.create({ id: 'witness', purpose: 'sign', algorithm: 'Ed25519' });
    return store;
  } finally {
    passphrase.fill(0);
  }
}
