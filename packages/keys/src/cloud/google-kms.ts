import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyManagementServiceClient, type protos } from '@google-cloud/kms';
import { crc32c, decodePem } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm, KeyPurpose, KeySpec, ManagedKeyStore } from '../key-store.ts';
import type { CloudBackend, CloudKey, CloudOperation, CloudVersion } from './backend.ts';
import { googleFault } from './google-errors.ts';
import { groupVersions, type FoundVersion } from './group-versions.ts';
import { CloudKeyStore, type CloudStoreOptions } from './store.ts';

type ClientOptions = NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>;
type Version = protos.google.cloud.kms.v1.ICryptoKeyVersion;

export interface GoogleKmsOptions extends CloudStoreOptions {
  /** `projects/P/locations/L/keyRings/R`; the ring exists, and is this store's alone. */
  readonly keyRing: string;
  /** Whether keys must be in Cloud HSM. Software keys are then neither made nor used. Default: true. */
  readonly requireHardware?: boolean;
  /** The content of a credentials file, such as one of workload identity. Absent: what the SDK finds. */
  readonly credentials?: NonNullable<ClientOptions['credentials']>;
  /** Another address than cloudkms.googleapis.com; only one of this machine may go without TLS. */
  readonly endpoint?: string;
  /** How long a destroyed version can still be saved with Google's own tools, days, 1 to 120. Default: 30. */
  readonly deletionDays?: number;
}

interface Kind {
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  readonly name: 'GOOGLE_SYMMETRIC_ENCRYPTION' | 'EC_SIGN_P256_SHA256' | 'EC_SIGN_P384_SHA384' | 'EC_SIGN_ED25519';
}

const kinds: readonly Kind[] = Object.freeze([
  { purpose: 'wrap', algorithm: 'AES-256-GCM', name: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
  { purpose: 'sign', algorithm: 'P-256', name: 'EC_SIGN_P256_SHA256' },
  { purpose: 'sign', algorithm: 'P-384', name: 'EC_SIGN_P384_SHA384' },
  { purpose: 'sign', algorithm: 'Ed25519', name: 'EC_SIGN_ED25519' },
]);

/** The form of a key ring's name. */
export const keyRingPattern =
  /^projects\/[a-z0-9.:-]{1,63}\/locations\/[a-z0-9-]{1,63}\/keyRings\/[a-zA-Z0-9_-]{1,63}$/;

/**
 * Keys in one key ring of Google Cloud KMS, over its REST interface. Versions are Google's own, so ids have at most 63
 * characters here (a dot becomes D, which ids do not have). All that is sent and answered carries CRC-32C both ways.
 *
 * It does not protect against Google itself, nor against whoever administers the key ring.
 * Errors: KEYS_URI.
 */
export function openGoogleKmsKeyStore(options: GoogleKmsOptions): ManagedKeyStore {
  return new CloudKeyStore(new GoogleKms(options), options);
}

class GoogleKms implements CloudBackend {
  readonly kind = 'google-kms';
  readonly hardware: boolean;
  readonly description: string;
  readonly wrapAlgorithm = 'GOOGLE-KMS+A256GCM';
  readonly signing = ['P-256', 'P-384', 'Ed25519'] as const;
  readonly checksums = true;
  readonly #client: KeyManagementServiceClient;
  readonly #ring: string;
  readonly #level: 'HSM' | 'SOFTWARE';
  readonly #days: number;

  constructor({ keyRing, requireHardware = true, credentials, endpoint, deletionDays = 30 }: GoogleKmsOptions) {
    if (!keyRingPattern.test(keyRing)) {
      throw new FastnessError('KEYS_URI', 'A key ring is projects/P/locations/L/keyRings/R.');
    }
    if (!Number.isInteger(deletionDays) || deletionDays < 1 || deletionDays > 120) {
      throw new FastnessError('KEYS_URI', 'Google KMS destroys versions after 1 to 120 days.');
    }
    this.#ring = keyRing;
    this.#days = deletionDays;
    this.hardware = requireHardware;
    this.#level = requireHardware ? 'HSM' : 'SOFTWARE';
    this.description = requireHardware
      ? 'Google Cloud HSM: hardware of the provider keeps these keys'
      : 'Google Cloud KMS: no hardware is asked for, the provider keeps these keys';
    this.#client = new KeyManagementServiceClient({
      fallback: true,
      ...(credentials === undefined ? {} : { credentials }),
      ...(endpoint === undefined ? {} : addressOf(endpoint)),
    });
  }

  async load(signal: AbortSignal): Promise<CloudKey[]> {
    const [keys] = await abortable(signal, this.#client.listCryptoKeys({ parent: this.#ring, pageSize: 100 }));
    const found: FoundVersion[] = [];
    for (const { name: parent } of keys) {
      const id = typeof parent === 'string' ? this.#idOf(parent) : undefined;
      if (id === undefined || typeof parent !== 'string') continue;
      const [versions] = await abortable(signal, this.#client.listCryptoKeyVersions({ parent, pageSize: 100 }));
      for (const version of versions) found.push(...this.#versionOf(id, parent, version));
    }
    return groupVersions(found);
  }

  async create(spec: KeySpec, version: number, signal: AbortSignal): Promise<void> {
    const kind = kinds.find(({ algorithm }) => algorithm === spec.algorithm);
    if (kind === undefined) throw new FastnessError('KEYS_CLOUD_UNSUPPORTED');
    const cryptoKeyId = spec.id.replaceAll('.', 'D');
    if (cryptoKeyId.length > 63) throw new FastnessError('KEYS_ID_INVALID', 'Google KMS takes 63 characters.');
    const parent = `${this.#ring}/cryptoKeys/${cryptoKeyId}`;
    if (version === 1) {
      await abortable(
        signal,
        this.#client.createCryptoKey({
          parent: this.#ring,
          cryptoKeyId,
          cryptoKey: {
            purpose: spec.purpose === 'wrap' ? 'ENCRYPT_DECRYPT' : 'ASYMMETRIC_SIGN',
            versionTemplate: { protectionLevel: this.#level, algorithm: kind.name },
            destroyScheduledDuration: { seconds: this.#days * 86_400 },
          },
        }),
      );
    } else {
      const [made] = await abortable(signal, this.#client.createCryptoKeyVersion({ parent, cryptoKeyVersion: {} }));
      if (made.name !== `${parent}/cryptoKeyVersions/${version}`) {
        throw new FastnessError('KEYS_CLOUD_CONFLICT', 'Another version arose at the same time.');
      }
    }
    await this.#untilEnabled(`${parent}/cryptoKeyVersions/${version}`, signal);
    if (version === 1) return;
    // This store names the version it means; others, and Google's console, go by the primary one.
    const primary = { name: parent, cryptoKeyVersionId: String(version) };
    await abortable(signal, this.#client.updateCryptoKeyPrimaryVersion(primary));
  }

  async wrapSecret({ ref }: CloudVersion, secret: Uint8Array, binding: Uint8Array, signal: AbortSignal) {
    const [answer] = await abortable(
      signal,
      this.#client.encrypt({
        name: ref,
        plaintext: secret,
        plaintextCrc32c: { value: crc32c(secret) },
        additionalAuthenticatedData: binding,
        additionalAuthenticatedDataCrc32c: { value: crc32c(binding) },
      }),
    );
    requireKey(ref, answer.name);
    requireReceived(answer.verifiedPlaintextCrc32c);
    requireReceived(answer.verifiedAdditionalAuthenticatedDataCrc32c);
    this.#requireLevel(answer.protectionLevel);
    return checked(answer.ciphertext, answer.ciphertextCrc32c);
  }

  async unwrapSecret({ ref }: CloudVersion, part: Uint8Array, binding: Uint8Array, signal: AbortSignal) {
    // The SDK encodes all of a view's buffer.
    const blob = part.slice();
    // Decrypt takes the key, and finds the version in the ciphertext; the binding holds our number of it.
    const [answer] = await abortable(
      signal,
      this.#client.decrypt({
        name: ref.replace(/\/cryptoKeyVersions\/\d+$/, ''),
        ciphertext: blob,
        ciphertextCrc32c: { value: crc32c(blob) },
        additionalAuthenticatedData: binding,
        additionalAuthenticatedDataCrc32c: { value: crc32c(binding) },
      }),
    );
    const secret = checked(answer.plaintext, answer.plaintextCrc32c);
    this.#requireLevel(answer.protectionLevel);
    return secret;
  }

  async publicKey({ ref }: CloudVersion, signal: AbortSignal): Promise<Uint8Array> {
    const [{ name, pem, pemCrc32c, protectionLevel }] = await abortable(
      signal,
      this.#client.getPublicKey({ name: ref }),
    );
    requireKey(ref, name);
    this.#requireLevel(protectionLevel);
    if (typeof pem !== 'string') throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'A field is missing.');
    checked(new TextEncoder().encode(pem), pemCrc32c);
    const [spki, ...rest] = decodePem(pem, 'PUBLIC KEY');
    if (spki === undefined || rest.length > 0) throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'Not one public key.');
    return spki;
  }

  async sign({ ref }: CloudVersion, algorithm: KeyAlgorithm, message: Uint8Array, signal: AbortSignal) {
    const raw = algorithm === 'Ed25519';
    const [answer] = await abortable(signal, this.#client.asymmetricSign({ name: ref, ...input(algorithm, message) }));
    requireKey(ref, answer.name);
    requireReceived(raw ? answer.verifiedDataCrc32c : answer.verifiedDigestCrc32c);
    this.#requireLevel(answer.protectionLevel);
    return checked(answer.signature, answer.signatureCrc32c);
  }

  async setEnabled({ ref: name }: CloudVersion, enabled: boolean, signal: AbortSignal): Promise<void> {
    const cryptoKeyVersion = { name, state: enabled ? ('ENABLED' as const) : ('DISABLED' as const) };
    const updateMask = { paths: ['state'] };
    await abortable(signal, this.#client.updateCryptoKeyVersion({ cryptoKeyVersion, updateMask }));
  }

  async destroy({ ref: name }: CloudVersion, signal: AbortSignal): Promise<void> {
    await abortable(signal, this.#client.destroyCryptoKeyVersion({ name }));
  }

  fault(error: unknown, operation: CloudOperation): FastnessError {
    return googleFault(error, operation);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #idOf(name: string): string | undefined {
    const prefix = `${this.#ring}/cryptoKeys/`;
    const short = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    return /^[a-z0-9][a-z0-9D_-]{0,62}$/.test(short) ? short.replaceAll('D', '.') : undefined;
  }

  #versionOf(id: string, parent: string, found: Version): FoundVersion[] {
    const { name, algorithm, protectionLevel, state: said, createTime } = found;
    const number = /\/cryptoKeyVersions\/([1-9]\d{0,8})$/.exec(name ?? '')?.[1];
    const kind = kinds.find((candidate) => candidate.name === algorithm);
    if (typeof name !== 'string' || number === undefined || !name.startsWith(`${parent}/`)) {
      throw new FastnessError('KEYS_CLOUD_WRONG_KEY', id);
    }
    if (kind === undefined || said === 'DESTROYED') return [];
    const { purpose, algorithm: ours } = kind;
    let state: CloudVersion['state'] = stateOf(said);
    if (this.#level === 'HSM' && protectionLevel === 'SOFTWARE') state = 'software';
    else if (protectionLevel !== 'HSM' && protectionLevel !== 'SOFTWARE') state = 'unusable';
    // Imported material existed outside.
    if (typeof found.importJob === 'string' && found.importJob !== '') state = 'unusable';
    const createdAt = new Date(Number(createTime?.seconds ?? 0) * 1000);
    return [{ id, purpose, algorithm: ours, version: Number(number), ref: name, state, createdAt }];
  }

  async #untilEnabled(name: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [{ state }] = await abortable(signal, this.#client.getCryptoKeyVersion({ name }));
      if (state === 'ENABLED') return;
      if (state !== 'PENDING_GENERATION') throw new FastnessError('KEYS_CLOUD_FAILED', 'The version was not made.');
      await sleep(250, undefined, { signal });
    }
  }

  #requireLevel(level: Version['protectionLevel']): void {
    if (this.#level === 'HSM' && level !== 'HSM') throw new FastnessError('KEYS_HARDWARE_REQUIRED');
  }
}

function stateOf(state: Version['state']): CloudVersion['state'] {
  if (state === 'ENABLED') return 'enabled';
  if (state === 'DISABLED') return 'disabled';
  return state === 'DESTROY_SCHEDULED' ? 'pending-deletion' : 'unusable';
}

function input(algorithm: KeyAlgorithm, part: Uint8Array) {
  const message = new Uint8Array(part);
  if (algorithm === 'Ed25519') return { data: message, dataCrc32c: { value: crc32c(message) } };
  const name = algorithm === 'P-384' ? 'sha384' : 'sha256';
  const digest = new Uint8Array(createHash(name).update(message).digest());
  return { digest: { [name]: digest }, digestCrc32c: { value: crc32c(digest) } };
}

function requireKey(ref: string, echoed: string | null | undefined): void {
  if (echoed !== ref) throw new FastnessError('KEYS_CLOUD_WRONG_KEY');
}

/** The service says whether what it received had the checksum that was sent with it. */
function requireReceived(verified: boolean | null | undefined): void {
  if (verified !== true) throw new FastnessError('KEYS_CLOUD_INTEGRITY', 'The request did not arrive as it was sent.');
}

function checked(
  bytes: Uint8Array | string | null | undefined,
  checksum: protos.google.protobuf.IInt64Value | null | undefined,
): Uint8Array {
  const found = typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : bytes;
  if (found === undefined || found === null || found.length === 0) {
    throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'A field is missing.');
  }
  const value = checksum?.value;
  if (value === undefined || value === null) throw new FastnessError('KEYS_CLOUD_INTEGRITY', 'A checksum is missing.');
  if (String(value) !== String(crc32c(found))) throw new FastnessError('KEYS_CLOUD_INTEGRITY', 'A checksum is wrong.');
  return new Uint8Array(found);
}

/** The SDK knows no signals: its promises can be cancelled. */
async function abortable<T>(signal: AbortSignal, call: Promise<T>): Promise<T> {
  const cancel = (): void => {
    if ('cancel' in call && typeof call.cancel === 'function') call.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await call;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function addressOf(endpoint: string): ClientOptions {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const local = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost';
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    throw new FastnessError('KEYS_URI', 'An endpoint is an https address.');
  }
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? 443 : Number(url.port);
  return { apiEndpoint: url.hostname, port, ...(secure ? {} : { protocol: 'http' }) };
}
