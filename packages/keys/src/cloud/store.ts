import { createPublicKey, verify } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { algorithmsOf, type KeyAlgorithm, type KeyInfo, type KeySpec, type ManagedKeyStore } from '../key-store.ts';
import { checkContext, checkPlaintext } from '../wrap-sizes.ts';
import { keyIdPattern, maxWrappedBytes, type WrappedKey } from '../wrapped-key.ts';
import type { CloudBackend, CloudKey, CloudOperation, CloudVersion } from './backend.ts';
import { Catalog, defaultCatalogAge } from './catalog.ts';
import { openEnvelope, sealEnvelope } from './envelope.ts';

/** What every cloud store can be told. */
export interface CloudStoreOptions {
  /** How long one call of the store may take, tries and pauses together, milliseconds. Default: 30,000. */
  readonly timeout?: number;
  /** Ends everything under way, and every later call, with KEYS_CLOUD_ABORTED. */
  readonly signal?: AbortSignal;
  /** How long the list of keys is used again, milliseconds. Default: 60,000. */
  readonly catalogAge?: number;
  /**
   * Whether a wrapped key is unwrapped once before it is handed out, where answers have no checksum: one that does not
   * open is found when the key still exists elsewhere. Needs the right to decrypt. Default: true.
   */
  readonly tryWrapped?: boolean;
}

const defaultTimeout = 30_000;
const hashOf = { 'P-256': 'sha256', 'P-384': 'sha384', Ed25519: null } as const;
const signingAlgorithm = (algorithm: KeyAlgorithm): algorithm is keyof typeof hashOf =>
  Object.hasOwn(hashOf, algorithm);

/**
 * A key store over a key service. The service sees the key's id and version and a digest of the context, never the
 * context, and, of what is wrapped, only a secret made for this one wrapping.
 */
export class CloudKeyStore implements ManagedKeyStore {
  readonly kind: CloudBackend['kind'];
  readonly hardware: boolean;
  readonly description: string;
  readonly signing: readonly KeyAlgorithm[];
  readonly #backend: CloudBackend;
  readonly #options: CloudStoreOptions;
  readonly #catalog: Catalog;
  readonly #closing = new AbortController();
  readonly #publicKeys = new Map<string, Uint8Array>();
  /** Services do not say since when a key is disabled: this process says since when it knows. */
  readonly #disabledSince = new Map<string, string>();

  constructor(backend: CloudBackend, options: CloudStoreOptions) {
    this.kind = backend.kind;
    this.hardware = backend.hardware;
    this.description = backend.description;
    this.signing = backend.signing;
    this.#backend = backend;
    this.#options = options;
    const read = (): Promise<CloudKey[]> => this.#ask('list', (signal) => backend.load(signal));
    this.#catalog = new Catalog(read, options.catalogAge ?? defaultCatalogAge);
  }

  async list(): Promise<KeyInfo[]> {
    this.#requireOpen();
    const keys = await this.#catalog.all();
    return keys
      .filter((key) => held(key).length > 0)
      .map((key) => this.#infoOf(key))
      .sort(byId);
  }

  async create(spec: KeySpec): Promise<KeyInfo> {
    this.#requireOpen();
    if (!keyIdPattern.test(spec.id)) throw new FastnessError('KEYS_ID_INVALID');
    const fits: readonly KeyAlgorithm[] = Object.hasOwn(algorithmsOf, spec.purpose) ? algorithmsOf[spec.purpose] : [];
    if (!fits.includes(spec.algorithm)) throw new FastnessError('KEYS_ALGORITHM');
    if (spec.purpose === 'sign' && !this.#backend.signing.includes(spec.algorithm)) {
      throw new FastnessError('KEYS_CLOUD_UNSUPPORTED', `It does not sign with ${spec.algorithm}.`);
    }
    const { id, purpose, algorithm } = spec;
    const keys = await this.#catalog.all();
    if (keys.some((key) => key.id === id)) throw new FastnessError('KEYS_ID_EXISTS', id);
    await this.#ask('create', (signal) => this.#backend.create({ id, purpose, algorithm }, 1, signal));
    return this.#created(id, 1);
  }

  async rotate(id: string): Promise<KeyInfo> {
    this.#requireOpen();
    await this.#catalog.refresh();
    const key = requirePurpose(await this.#catalog.key(id), 'wrap');
    const next = Math.max(...key.versions.map(({ version }) => version)) + 1;
    const { purpose, algorithm } = key;
    await this.#ask('create', (signal) => this.#backend.create({ id, purpose, algorithm }, next, signal));
    return this.#created(id, next);
  }

  async retire(id: string, before: number): Promise<KeyInfo> {
    this.#requireOpen();
    await this.#catalog.refresh();
    const key = requirePurpose(await this.#catalog.key(id), 'wrap');
    const current = currentOf(key);
    if (!Number.isInteger(before) || before < 1 || before > current.version) {
      throw new FastnessError('KEYS_VERSION_UNKNOWN', `The current version of ${id} is ${current.version}.`);
    }
    for (const version of held(key).filter((candidate) => candidate.version < before)) {
      await this.#ask('manage', (signal) => this.#backend.destroy(version, signal));
    }
    return this.#fresh(id);
  }

  disable(id: string): Promise<KeyInfo> {
    return this.#setEnabled(id, false);
  }

  enable(id: string): Promise<KeyInfo> {
    return this.#setEnabled(id, true);
  }

  async destroy(id: string): Promise<void> {
    this.#requireOpen();
    await this.#catalog.refresh();
    const key = await this.#catalog.key(id);
    const versions = held(key);
    if (versions.some(({ state }) => state === 'enabled')) throw new FastnessError('KEYS_NOT_DISABLED', id);
    for (const version of versions) await this.#ask('manage', (signal) => this.#backend.destroy(version, signal));
    await this.#catalog.refresh();
  }

  async publicKey(id: string): Promise<Uint8Array> {
    this.#requireOpen();
    const key = requirePurpose(await this.#catalog.key(id), 'sign');
    return (await this.#publicKeyOf(requireUsable(key, currentOf(key)))).slice();
  }

  async wrap(id: string, plaintext: Uint8Array, context: Uint8Array): Promise<WrappedKey> {
    this.#requireOpen();
    const key = requirePurpose(await this.#catalog.key(id), 'wrap');
    checkPlaintext(plaintext);
    checkContext(context);
    const version = requireUsable(key, currentOf(key));
    const binding = { keyId: id, keyVersion: version.version, context };
    const ciphertext = await sealEnvelope(plaintext, binding, async (secret, digest) => {
      const blob = await this.#ask('wrap', (signal) => this.#backend.wrapSecret(version, secret, digest, signal));
      if (!this.#backend.checksums && this.#options.tryWrapped !== false) {
        await this.#tryBlob(version, blob, secret, digest);
      }
      return blob;
    });
    return { keyId: id, keyVersion: version.version, algorithm: this.#backend.wrapAlgorithm, ciphertext };
  }

  async unwrap(wrapped: WrappedKey, context: Uint8Array): Promise<Uint8Array> {
    this.#requireOpen();
    const { keyId, keyVersion, ciphertext } = wrapped;
    requirePurpose(await this.#catalog.key(keyId), 'wrap');
    if (wrapped.algorithm !== this.#backend.wrapAlgorithm) throw new FastnessError('KEYS_WRAPPED_ALGORITHM');
    if (ciphertext.length > maxWrappedBytes) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
    checkContext(context);
    const { key, version } = await this.#catalog.version(keyId, keyVersion);
    requireUsable(key, version);
    return openEnvelope(ciphertext, { keyId, keyVersion, context }, (blob, digest) =>
      this.#ask('unwrap', (signal) => this.#backend.unwrapSecret(version, blob, digest, signal)),
    );
  }

  async sign(id: string, message: Uint8Array): Promise<Uint8Array> {
    this.#requireOpen();
    const key = requirePurpose(await this.#catalog.key(id), 'sign');
    const { algorithm } = key;
    if (!signingAlgorithm(algorithm)) throw new FastnessError('KEYS_CLOUD_USAGE', id);
    const version = requireUsable(key, currentOf(key));
    // Services take a message whole only when it is short, and Ed25519 has no digest to send in its place.
    if (algorithm === 'Ed25519' && message.length > 4096) {
      throw new FastnessError('KEYS_SIZE', 'Key services sign at most 4096 bytes with Ed25519.');
    }
    const spki = await this.#publicKeyOf(version);
    const signature = await this.#ask('sign', (signal) => this.#backend.sign(version, algorithm, message, signal));
    if (!verifies(spki, hashOf[algorithm], message, signature)) {
      throw new FastnessError('KEYS_CLOUD_INTEGRITY', `A signature of ${id} that its public key does not verify.`);
    }
    return signature;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#backend.close();
  }

  async #setEnabled(id: string, enabled: boolean): Promise<KeyInfo> {
    this.#requireOpen();
    await this.#catalog.refresh();
    const key = await this.#catalog.key(id);
    for (const version of held(key)) {
      if ((version.state === 'enabled') !== enabled) {
        await this.#ask('manage', (signal) => this.#backend.setEnabled(version, enabled, signal));
      }
    }
    return this.#fresh(id);
  }

  async #tryBlob(version: CloudVersion, blob: Uint8Array, secret: Uint8Array, digest: Uint8Array): Promise<void> {
    const opened = await this.#ask('wrap', async (signal) => {
      try {
        return await this.#backend.unwrapSecret(version, blob, digest, signal);
      } catch (error) {
        const fault = asFault(this.#backend, error, 'unwrap');
        throw fault.code === 'KEYS_UNWRAP' ? new FastnessError('KEYS_CLOUD_INTEGRITY', 'What it wrapped.') : fault;
      }
    });
    const same = equalBytes(opened, secret);
    opened.fill(0);
    if (!same) throw new FastnessError('KEYS_CLOUD_INTEGRITY', 'What it wrapped opens to something else.');
  }

  async #publicKeyOf(version: CloudVersion): Promise<Uint8Array> {
    const known = this.#publicKeys.get(version.ref);
    if (known !== undefined) return known;
    const spki = await this.#ask('public-key', (signal) => this.#backend.publicKey(version, signal));
    this.#publicKeys.set(version.ref, spki);
    return spki;
  }

  /** Services list a new key only after a moment. */
  async #created(id: string, version: number): Promise<KeyInfo> {
    for (let pause = 50; pause < 5000; pause *= 2) {
      const key = (await this.#catalog.all()).find((candidate) => candidate.id === id);
      if (key?.versions.some((candidate) => candidate.version === version) === true) return this.#infoOf(key);
      await this.#ask('list', (signal) => sleep(pause, undefined, { signal }));
    }
    throw new FastnessError('KEYS_CLOUD_UNAVAILABLE', `${id} was made, and is not listed yet.`);
  }

  async #fresh(id: string): Promise<KeyInfo> {
    await this.#catalog.refresh();
    return this.#infoOf(await this.#catalog.key(id));
  }

  #infoOf(key: CloudKey): KeyInfo {
    const { id, purpose, algorithm, versions } = key;
    const current = currentOf(key);
    const first = versions.reduce((oldest, { createdAt }) => (createdAt < oldest ? createdAt : oldest), new Date());
    if (current.state === 'enabled') this.#disabledSince.delete(id);
    else if (!this.#disabledSince.has(id)) this.#disabledSince.set(id, new Date().toISOString());
    const disabledAt = this.#disabledSince.get(id);
    return {
      id,
      purpose,
      algorithm,
      version: current.version,
      versions: held(key).map(({ version }) => version),
      createdAt: first.toISOString(),
      ...(disabledAt === undefined ? {} : { disabledAt }),
    };
  }

  /** One operation under the time limit; whatever fails comes out as one of our codes. */
  async #ask<T>(operation: CloudOperation, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = AbortSignal.timeout(this.#options.timeout ?? defaultTimeout);
    const outer = [this.#closing.signal, ...(this.#options.signal === undefined ? [] : [this.#options.signal])];
    const signal = AbortSignal.any([limit, ...outer]);
    const ended = (): FastnessError =>
      new FastnessError(outer.some(({ aborted }) => aborted) ? 'KEYS_CLOUD_ABORTED' : 'KEYS_CLOUD_TIMEOUT');
    if (signal.aborted) throw ended();
    // An SDK may look at its signal only between two tries; nobody waits longer for that.
    let stop: (() => void) | undefined;
    const end = new Promise<never>((_, reject) => {
      stop = () => reject(ended());
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      return await Promise.race([work(signal), end]);
    } catch (error) {
      if (signal.aborted) throw ended();
      throw asFault(this.#backend, error, operation);
    } finally {
      if (stop !== undefined) signal.removeEventListener('abort', stop);
    }
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw new FastnessError('KEYS_CLOSED');
  }
}

/** SDKs put requests, answers and headers into their errors: none of that goes on as a cause. */
function asFault(backend: CloudBackend, error: unknown, operation: CloudOperation): FastnessError {
  return error instanceof FastnessError ? error : backend.fault(error, operation);
}

function verifies(spki: Uint8Array, hash: string | null, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return verify(hash, message, key, signature);
  } catch {
    return false;
  }
}

/** What is still there: neither destroyed nor waiting for it. */
function held(key: CloudKey): CloudVersion[] {
  return key.versions.filter(({ state }) => state === 'enabled' || state === 'disabled');
}

function currentOf(key: CloudKey): CloudVersion {
  const current = held(key).at(-1) ?? key.versions.at(-1);
  if (current === undefined) throw new FastnessError('KEYS_ID_UNKNOWN', key.id);
  return current;
}

function requirePurpose(key: CloudKey, purpose: CloudKey['purpose']): CloudKey {
  if (key.purpose !== purpose) {
    throw new FastnessError('KEYS_PURPOSE', `${key.id} ${key.purpose === 'wrap' ? 'wraps' : 'signs'}.`);
  }
  return key;
}

function requireUsable(key: CloudKey, version: CloudVersion): CloudVersion {
  const where = `${key.id} version ${version.version}`;
  if (version.state === 'disabled') throw new FastnessError('KEYS_DISABLED', where);
  if (version.state === 'pending-deletion') throw new FastnessError('KEYS_CLOUD_PENDING_DELETION', where);
  if (version.state === 'software') throw new FastnessError('KEYS_HARDWARE_REQUIRED', where);
  if (version.state === 'unusable') throw new FastnessError('KEYS_CLOUD_USAGE', where);
  return version;
}

function byId(left: KeyInfo, right: KeyInfo): number {
  return left.id < right.id ? -1 : 1;
}
