import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { toHex, utf8Encode } from '@fastness/codec';
import {
  createSoftwareKeyStore,
  openKeyStore,
  openSoftwareKeyStore,
  readPassphraseFile,
  type KeySpec,
  type ManagedKeyStore,
} from '@fastness/keys';
import { makePrivateDirectory, readHomeConfig, writeFileAtomic, type Home, type HomeConfig } from './home.ts';

/** The keys of one home. Each store is a file of its own: in real life they belong to different people and machines. */
export const keyIds = Object.freeze({ kek: 'model-kek', owner: 'owner', broker: 'broker', approver: 'approver' });

export type StoreName = 'kek' | 'owner' | 'broker';

type StoreConfig = Partial<Pick<HomeConfig, 'keyStores' | 'requireHardware'>>;

function storeFiles(home: Home, name: StoreName): { path: string; passphraseFile: string } {
  return { path: join(home.keyDirectory, `${name}.keystore`), passphraseFile: join(home.keyDirectory, `${name}.pass`) };
}

function approverFiles(home: Home, approver: string): { path: string; passphraseFile: string } {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(approver)) {
    throw new FastnessError(
      'CLI_APPROVER_UNKNOWN',
      `${JSON.stringify(approver)}: letters, digits and hyphens, at most 32.`,
    );
  }
  const base = join(home.approverDirectory, approver);
  return { path: `${base}.keystore`, passphraseFile: `${base}.pass` };
}

async function create(files: { path: string; passphraseFile: string }): Promise<ManagedKeyStore> {
  const passphrase = utf8Encode(toHex(randomBytes(32)));
  try {
    await writeFileAtomic(files.passphraseFile, passphrase);
    return await createSoftwareKeyStore({ path: files.path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

async function open(files: { path: string; passphraseFile: string }): Promise<ManagedKeyStore> {
  const passphrase = await readPassphraseFile(files.passphraseFile);
  try {
    return await openSoftwareKeyStore({ path: files.path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

/** Makes the software store of that name, or opens the token that the configuration names for it. */
export async function createStore(home: Home, name: StoreName, config: StoreConfig = {}): Promise<ManagedKeyStore> {
  const uri = config.keyStores?.[name];
  if (uri === undefined) await makePrivateDirectory(home.keyDirectory);
  const store = await (uri === undefined ? create(storeFiles(home, name)) : openKeyStore(uri));
  return checked(store, name, config);
}

export async function openStore(home: Home, name: StoreName): Promise<ManagedKeyStore> {
  const config = await readHomeConfig(home);
  const uri = config.keyStores?.[name];
  return checked(await (uri === undefined ? open(storeFiles(home, name)) : openKeyStore(uri)), name, config);
}

export async function createApproverStore(
  home: Home,
  approver: string,
  config: StoreConfig = {},
): Promise<ManagedKeyStore> {
  const files = approverFiles(home, approver);
  const uri = approverUri(config, approver);
  if (uri === undefined) await makePrivateDirectory(home.approverDirectory);
  return checked(await (uri === undefined ? create(files) : openKeyStore(uri)), 'approver', config);
}

export async function openApproverStore(home: Home, approver: string): Promise<ManagedKeyStore> {
  const files = approverFiles(home, approver);
  const config = await readHomeConfig(home);
  const uri = approverUri(config, approver);
  if (uri === undefined && !existsSync(files.path)) throw new FastnessError('CLI_APPROVER_UNKNOWN', approver);
  return checked(await (uri === undefined ? open(files) : openKeyStore(uri)), 'approver', config);
}

function approverUri({ keyStores }: StoreConfig, approver: string): string | undefined {
  const uris = keyStores?.approvers ?? {};
  return Object.hasOwn(uris, approver) ? uris[approver] : undefined;
}

/** Closes the store again when hardware is required of it and it has none. Errors: KEYS_HARDWARE_REQUIRED. */
async function checked(
  store: ManagedKeyStore,
  name: StoreName | 'approver',
  { requireHardware }: StoreConfig,
): Promise<ManagedKeyStore> {
  const required = requireHardware === 'all' || (requireHardware === 'wrapping' && name === 'kek');
  if (!required || store.hardware) return store;
  await store[Symbol.asyncDispose]();
  throw new FastnessError('KEYS_HARDWARE_REQUIRED', `${name}: ${store.description}.`);
}

/** Makes a key, or takes the one of this name that the store has already, if it is of the same kind. */
export async function ensureKey(store: ManagedKeyStore, spec: KeySpec): Promise<{ readonly made: boolean }> {
  const known = store.kind === 'software' ? undefined : (await store.list()).find(({ id }) => id === spec.id);
  if (known === undefined) {
    await store.create(spec);
    return { made: true };
  }
  if (known.purpose !== spec.purpose || known.algorithm !== spec.algorithm || known.disabledAt !== undefined) {
    throw new FastnessError('KEYS_ID_EXISTS', `${spec.id} is of another kind, or disabled.`);
  }
  return { made: false };
}
