import { u32be, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { algorithmsOf, type KeyAlgorithm, type KeyInfo, type KeySpec, type ManagedKeyStore } from '../key-store.ts';
import { checkContext, checkPlaintext } from '../wrap-sizes.ts';
import { keyIdPattern, maxWrappedBytes, type WrappedKey } from '../wrapped-key.ts';
import { nameBytes } from '../name-bytes.ts';
import { bindingOf } from './binding.ts';
import {
  keyInfoSchema,
  keyListSchema,
  probeSchema,
  tokenFactsSchema,
  wrapHeaderSchema,
  type Operation,
  type Probe,
  type TokenFacts,
  type WrappingWay,
} from './messages.ts';
import { hardwareOf, profileOf, type Pkcs11Profile } from './profiles.ts';
import { Supervisor } from './supervisor.ts';
import { withTokenLock } from './token-lock.ts';
import { parsePkcs11Uri } from './uri.ts';

/** Signing hashes inside the child, so the message has to travel: 4 MiB. */
const maxSignedBytes = 4 * 2 ** 20;

export interface Pkcs11KeyStoreOptions {
  /** RFC 7512; see `parsePkcs11Uri` for the subset. */
  readonly uri: string;
  /** How new wrapping keys are made. Default: what works, AES-GCM on the token first, then RSA-3072 with OAEP. */
  readonly wrapping?: 'auto' | WrappingWay;
  /** How long the module may take for one operation before its process is ended, milliseconds. Default: 120,000. */
  readonly silence?: number;
}

/** A store on a token, with what only tokens have. */
export interface Pkcs11KeyStore extends ManagedKeyStore {
  readonly kind: 'pkcs11';
  readonly token: TokenFacts;
  /** What is known of this vendor's module; undefined for one that is not known. */
  readonly profile: Pkcs11Profile | undefined;
  /** The process that the module runs in, while there is one. */
  readonly childId: number | undefined;
  /** Tries what the token can do, with keys that it forgets at once, and how often a second. Takes seconds. */
  probe(): Promise<Probe>;
}

/**
 * Opens the one token that the URI names, in a child process of its own. The PIN is read and tried there once.
 *
 * It does not protect against whoever may run code as this user while the token is logged in: they can ask for the same
 * operations. Keys cannot be taken away with them, as far as the token keeps its promise.
 * Errors: KEYS_HSM_URI, KEYS_HSM_MODULE, KEYS_HSM_TOKEN, KEYS_HSM_PIN, KEYS_HSM_PIN_LOCKED, KEYS_HSM_PIN_SOURCE,
 * KEYS_HSM_FAILED, KEYS_HSM_CRASHED.
 */
export async function openPkcs11KeyStore(options: Pkcs11KeyStoreOptions): Promise<Pkcs11KeyStore> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new FastnessError('KEYS_HSM_MODULE', 'PKCS #11 is there on 64-bit Linux only.');
  }
  const { modulePath, match, pinSource, libraryParameters } = parsePkcs11Uri(options.uri);
  const supervisor = new Supervisor({
    open: {
      modulePath,
      match: { ...match },
      ...(libraryParameters === undefined ? {} : { libraryParameters }),
      ...(pinSource === undefined
        ? {}
        : // The descriptor has the number 4 in the child.
          { pinSource: pinSource.kind === 'file' ? pinSource : { kind: 'descriptor', descriptor: 4 } }),
      wrapping: options.wrapping ?? 'auto',
    },
    ...(pinSource?.kind === 'descriptor' ? { pinDescriptor: pinSource.descriptor } : {}),
    ...(options.silence === undefined ? {} : { silence: options.silence }),
  });
  const facts = tokenFactsSchema.safeParse(JSON.parse(await supervisor.start()));
  if (!facts.success) {
    await supervisor.close();
    throw new FastnessError('KEYS_HSM_PROTOCOL');
  }
  return new TokenKeyStore(supervisor, facts.data);
}

class TokenKeyStore implements Pkcs11KeyStore {
  readonly kind = 'pkcs11';
  readonly hardware: boolean;
  readonly description: string;
  readonly token: TokenFacts;
  readonly profile: Pkcs11Profile | undefined;
  readonly #supervisor: Supervisor;

  constructor(supervisor: Supervisor, token: TokenFacts) {
    this.#supervisor = supervisor;
    this.token = token;
    this.profile = profileOf(token);
    this.hardware = hardwareOf(token, this.profile);
    const name = `PKCS #11 token ${JSON.stringify(token.label)} (${token.manufacturer} ${token.model})`;
    this.description = this.hardware
      ? `${name}: hardware keeps these keys, by the word of its module`
      : `${name}: software, no hardware protects these keys`;
  }

  get childId(): number | undefined {
    return this.#supervisor.childId;
  }

  list(): Promise<KeyInfo[]> {
    return this.#ask('list', {}, keyListSchema, true);
  }

  async create(spec: KeySpec): Promise<KeyInfo> {
    if (!keyIdPattern.test(spec.id)) throw new FastnessError('KEYS_ID_INVALID');
    const fits: readonly KeyAlgorithm[] = Object.hasOwn(algorithmsOf, spec.purpose) ? algorithmsOf[spec.purpose] : [];
    if (!fits.includes(spec.algorithm)) throw new FastnessError('KEYS_ALGORITHM');
    const { id, purpose, algorithm } = spec;
    return this.#alone(() =>
      this.#ask('create', { id, purpose, algorithm, now: new Date().toISOString() }, keyInfoSchema, false),
    );
  }

  async rotate(id: string): Promise<KeyInfo> {
    requireId(id);
    return this.#alone(() => this.#ask('rotate', { id, now: new Date().toISOString() }, keyInfoSchema, false));
  }

  /** Versions are made by one process at a time; see `withTokenLock`. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const { manufacturer, model, serial, label } = this.token;
    return withTokenLock(JSON.stringify([manufacturer, model, serial, label]), work);
  }

  async retire(id: string, before: number): Promise<KeyInfo> {
    requireId(id);
    return this.#ask('retire', { id, before: Number.isFinite(before) ? before : 0 }, keyInfoSchema, false);
  }

  async disable(id: string): Promise<KeyInfo> {
    requireId(id);
    return this.#ask('setState', { id, disabled: true, now: new Date().toISOString() }, keyInfoSchema, false);
  }

  async enable(id: string): Promise<KeyInfo> {
    requireId(id);
    return this.#ask('setState', { id, disabled: false, now: new Date().toISOString() }, keyInfoSchema, false);
  }

  async destroy(id: string): Promise<void> {
    requireId(id);
    await this.#request('destroy', [utf8Encode(JSON.stringify({ id }))], false);
  }

  async publicKey(id: string): Promise<Uint8Array> {
    requireId(id);
    return one(await this.#request('publicKey', [utf8Encode(id)], true));
  }

  async sign(id: string, message: Uint8Array): Promise<Uint8Array> {
    requireId(id);
    if (message.length > maxSignedBytes) {
      throw new FastnessError('KEYS_SIZE', `A token signs messages of at most ${maxSignedBytes} bytes here.`);
    }
    return one(await this.#request('sign', [utf8Encode(id), message], true));
  }

  async wrap(id: string, plaintext: Uint8Array, context: Uint8Array): Promise<WrappedKey> {
    requireId(id);
    checkPlaintext(plaintext);
    checkContext(context);
    const [header, ciphertext] = await this.#request('wrap', [utf8Encode(id), plaintext, context], true);
    const parsed = wrapHeaderSchema.safeParse(JSON.parse(utf8Decode(header ?? new Uint8Array(0))));
    if (!parsed.success || ciphertext === undefined) throw new FastnessError('KEYS_HSM_PROTOCOL');
    return { keyId: id, keyVersion: parsed.data.version, algorithm: parsed.data.algorithm, ciphertext };
  }

  async unwrap(wrapped: WrappedKey, context: Uint8Array): Promise<Uint8Array> {
    const { keyId, keyVersion, algorithm, ciphertext } = wrapped;
    requireId(keyId);
    if (!Number.isInteger(keyVersion) || keyVersion < 1 || keyVersion > 0xffff_ffff) {
      throw new FastnessError('KEYS_VERSION_UNKNOWN', `${keyId} version ${keyVersion}`);
    }
    if (algorithm.length > 64) throw new FastnessError('KEYS_WRAPPED_ALGORITHM');
    if (ciphertext.length > maxWrappedBytes) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
    checkContext(context);
    // The digest is made here: the child is what everybody waits for.
    const binding = bindingOf(keyId, keyVersion, context);
    const fields = [nameBytes(keyId), u32be(keyVersion), nameBytes(algorithm), ciphertext, binding];
    return one(await this.#request('unwrap', fields, true));
  }

  probe(): Promise<Probe> {
    return this.#ask('probe', {}, probeSchema, true);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#supervisor.close();
  }

  #request(operation: Operation, fields: readonly Uint8Array[], repeatable: boolean): Promise<readonly Uint8Array[]> {
    return this.#supervisor.request(operation, fields, { repeatable });
  }

  async #ask<T>(operation: Operation, body: object, schema: z.ZodType<T>, repeatable: boolean): Promise<T> {
    const answer = one(await this.#request(operation, [utf8Encode(JSON.stringify(body))], repeatable));
    const parsed = schema.safeParse(JSON.parse(utf8Decode(answer)));
    if (!parsed.success) throw new FastnessError('KEYS_HSM_PROTOCOL');
    return parsed.data;
  }
}

function one(fields: readonly Uint8Array[]): Uint8Array {
  const [field] = fields;
  if (field === undefined || fields.length !== 1) throw new FastnessError('KEYS_HSM_PROTOCOL');
  return field;
}

function requireId(id: string): void {
  if (!keyIdPattern.test(id)) throw new FastnessError('KEYS_ID_UNKNOWN');
}
