import { randomBytes } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { algorithmsOf, type KeyAlgorithm, type KeyInfo, type KeySpec, type ManagedKeyStore } from '../key-store.ts';
import type { FileState } from '../private-file.ts';
import { keyIdPattern, type WrappedKey } from '../wrapped-key.ts';
import {
  currentVersion,
  infoOf,
  maxKeys,
  maxVersions,
  wipeContent,
  type StoreContent,
  type StoredKey,
} from './content.ts';
import type { KdfCost } from './kdf.ts';
import { generateSigningKey, isSigningAlgorithm, publicKeyOf, signMessage, type SigningAlgorithm } from './signing.ts';
import {
  createStoreFile,
  loadStoreFile,
  lockStoreFile,
  saveStoreFile,
  storeFileState,
  unlockStoreFile,
  type SoftwareKeyStoreOptions,
  type StoreFile,
} from './store-file.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

/**
 * Makes a new store file (mode 0600) and opens it.
 *
 * It does not protect against whoever can read this process's memory or guess the passphrase, nor, across restarts,
 * against someone who puts an older copy of the file in place. Where that matters, use hardware.
 * Errors: KEYS_PASSPHRASE, KEYS_KDF_BOUNDS, KEYS_FILE_EXISTS, KEYS_IO.
 */
export async function createSoftwareKeyStore(
  options: SoftwareKeyStoreOptions & { readonly cost?: KdfCost },
): Promise<ManagedKeyStore> {
  return SoftwareKeyStore.open(await createStoreFile(options));
}

/**
 * Opens a store. Any number of processes may have it open: a writer takes a lock and starts from what is on disk,
 * and every call sees what others wrote before it.
 * Errors: KEYS_FILE_NOT_FOUND, KEYS_PERMISSIONS, KEYS_NOT_A_STORE, KEYS_FORMAT_VERSION, KEYS_FILE_DAMAGED,
 * KEYS_KDF_BOUNDS, KEYS_PASSPHRASE, KEYS_UNLOCK, KEYS_IO.
 */
export async function openSoftwareKeyStore(options: SoftwareKeyStoreOptions): Promise<ManagedKeyStore> {
  return SoftwareKeyStore.open(await unlockStoreFile(options));
}

class SoftwareKeyStore implements ManagedKeyStore {
  readonly kind = 'software';
  readonly hardware = false;
  readonly signing = algorithmsOf.sign;
  readonly description = 'software key store: no hardware protects these keys';
  readonly #file: StoreFile;
  #content: StoreContent = { generation: 0, keys: [] };
  #state: FileState = '';
  #closed = false;
  /** One call at a time: a reload must not wipe keys that another call is using. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(file: StoreFile) {
    this.#file = file;
  }

  /** Takes over `file`, and wipes its key when it does not open. */
  static async open(file: StoreFile): Promise<SoftwareKeyStore> {
    const store = new SoftwareKeyStore(file);
    try {
      await store.#reload();
      return store;
    } catch (error) {
      file.fileKey.fill(0);
      throw error;
    }
  }

  list(): Promise<KeyInfo[]> {
    return this.#read(() => this.#content.keys.map(infoOf));
  }

  create(spec: KeySpec): Promise<KeyInfo> {
    return this.#change(async (keys) => {
      if (!keyIdPattern.test(spec.id)) throw new FastnessError('KEYS_ID_INVALID');
      const fits: readonly KeyAlgorithm[] = Object.hasOwn(algorithmsOf, spec.purpose) ? algorithmsOf[spec.purpose] : [];
      if (!fits.includes(spec.algorithm)) throw new FastnessError('KEYS_ALGORITHM');
      if (keys.some((key) => key.id === spec.id)) throw new FastnessError('KEYS_ID_EXISTS', spec.id);
      if (keys.length >= maxKeys) throw new FastnessError('KEYS_FULL', `It holds ${keys.length} keys.`);
      const { id, purpose, algorithm } = spec;
      const versions = [{ version: 1, secret: await generateSecret(algorithm) }];
      return { id, purpose, algorithm, createdAt: new Date().toISOString(), versions };
    });
  }

  rotate(id: string): Promise<KeyInfo> {
    return this.#change(async (keys) => {
      const key = requireWrapping(findEnabled(keys, id));
      if (key.versions.length >= maxVersions)
        throw new FastnessError('KEYS_FULL', `${id} has ${maxVersions} versions.`);
      const next = { version: currentVersion(key).version + 1, secret: await generateSecret(key.algorithm) };
      return { ...key, versions: [...key.versions, next] };
    });
  }

  retire(id: string, before: number): Promise<KeyInfo> {
    return this.#change((keys) => {
      const key = requireWrapping(findEnabled(keys, id));
      const kept = key.versions.filter(({ version }) => version >= before);
      if (!Number.isInteger(before) || before < 1 || kept.length === 0) {
        throw new FastnessError(
          'KEYS_VERSION_UNKNOWN',
          `The current version of ${id} is ${currentVersion(key).version}.`,
        );
      }
      return Promise.resolve({ ...key, versions: kept });
    });
  }

  disable(id: string): Promise<KeyInfo> {
    return this.#change((keys) => {
      const key = findKey(keys, id);
      return Promise.resolve({ ...key, disabledAt: key.disabledAt ?? new Date().toISOString() });
    });
  }

  enable(id: string): Promise<KeyInfo> {
    return this.#change((keys) => {
      const { disabledAt: _disabledAt, ...key } = findKey(keys, id);
      return Promise.resolve(key);
    });
  }

  async destroy(id: string): Promise<void> {
    await this.#write((keys) => {
      if (findKey(keys, id).disabledAt === undefined) throw new FastnessError('KEYS_NOT_DISABLED', id);
      return Promise.resolve(keys.filter((key) => key.id !== id));
    });
  }

  publicKey(id: string): Promise<Uint8Array> {
    return this.#read(() => publicKeyOf(currentVersion(requireSigning(findKey(this.#content.keys, id))).secret));
  }

  wrap(id: string, plaintext: Uint8Array, context: Uint8Array): Promise<WrappedKey> {
    return this.#read(() => {
      const { version, secret } = currentVersion(requireWrapping(findEnabled(this.#content.keys, id)));
      return wrapKey(secret, plaintext, { keyId: id, keyVersion: version, context });
    });
  }

  unwrap(wrapped: WrappedKey, context: Uint8Array): Promise<Uint8Array> {
    return this.#read(() => {
      const key = requireWrapping(findEnabled(this.#content.keys, wrapped.keyId));
      const version = key.versions.find((candidate) => candidate.version === wrapped.keyVersion);
      if (version === undefined) {
        throw new FastnessError('KEYS_VERSION_UNKNOWN', `${wrapped.keyId} version ${wrapped.keyVersion}`);
      }
      return unwrapKey(version.secret, wrapped, context);
    });
  }

  sign(id: string, message: Uint8Array): Promise<Uint8Array> {
    return this.#read(() => {
      const key = requireSigning(findEnabled(this.#content.keys, id));
      return signMessage(key.algorithm, currentVersion(key).secret, message);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inTurn(() => {
      this.#closed = true;
      this.#file.fileKey.fill(0);
      wipeContent(this.#content);
      this.#content = { generation: 0, keys: [] };
    });
  }

  #read<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.#requireOpen();
      if ((await storeFileState(this.#file)) !== this.#state) await this.#reload();
      return work();
    });
  }

  /** Lets `edit` make one key's new state. */
  async #change(edit: (keys: readonly StoredKey[]) => Promise<StoredKey>): Promise<KeyInfo> {
    let id = '';
    return this.#write(
      async (keys) => {
        const edited = await edit(keys);
        id = edited.id;
        return [...keys.filter((key) => key.id !== id), edited].sort(byId);
      },
      () => infoOf(findKey(this.#content.keys, id)),
    );
  }

  /** Under the lock: reload, let `edit` make the new keys, write, adopt what was written, and `read` from it. */
  #write(edit: (keys: readonly StoredKey[]) => Promise<readonly StoredKey[]>): Promise<void>;
  #write<T>(edit: (keys: readonly StoredKey[]) => Promise<readonly StoredKey[]>, read: () => T): Promise<T>;
  #write<T>(
    edit: (keys: readonly StoredKey[]) => Promise<readonly StoredKey[]>,
    read?: () => T,
  ): Promise<T | undefined> {
    return this.#inTurn(() => {
      this.#requireOpen();
      return lockStoreFile(this.#file, async () => {
        await this.#reload();
        const { keys, generation } = this.#content;
        const next = { generation: generation + 1, keys: await edit(keys) };
        try {
          await saveStoreFile(this.#file, next);
        } finally {
          // `next` shares its bytes with the content in memory: wipe both, and have them read again from the disk.
          wipeContent(next);
          wipeContent(this.#content);
          this.#state = '';
        }
        await this.#reload();
        return read?.();
      });
    });
  }

  async #reload(): Promise<void> {
    const { content, state } = await loadStoreFile(this.#file, this.#content.generation);
    wipeContent(this.#content);
    this.#content = content;
    this.#state = state;
  }

  #requireOpen(): void {
    if (this.#closed) throw new FastnessError('KEYS_CLOSED');
  }

  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function findKey(keys: readonly StoredKey[], id: string): StoredKey {
  const key = keys.find((candidate) => candidate.id === id);
  if (key === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', keyIdPattern.test(id) ? id : undefined);
  return key;
}

function findEnabled(keys: readonly StoredKey[], id: string): StoredKey {
  const key = findKey(keys, id);
  if (key.disabledAt !== undefined) throw new FastnessError('KEYS_DISABLED', id);
  return key;
}

function requireWrapping(key: StoredKey): StoredKey {
  if (key.purpose !== 'wrap') throw new FastnessError('KEYS_PURPOSE', `${key.id} signs.`);
  return key;
}

function requireSigning(key: StoredKey): StoredKey & { readonly algorithm: SigningAlgorithm } {
  const { algorithm } = key;
  if (key.purpose !== 'sign' || !isSigningAlgorithm(algorithm)) {
    throw new FastnessError('KEYS_PURPOSE', `${key.id} wraps.`);
  }
  return { ...key, algorithm };
}

async function generateSecret(algorithm: KeyAlgorithm): Promise<Uint8Array> {
  return isSigningAlgorithm(algorithm) ? generateSigningKey(algorithm) : new Uint8Array(randomBytes(32));
}

function byId(left: StoredKey, right: StoredKey): number {
  return left.id < right.id ? -1 : 1;
}
