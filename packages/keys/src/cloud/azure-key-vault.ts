import { createHash, createPublicKey } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import {
  CryptographyClient,
  KeyClient,
  type CreateKeyOptions,
  type KeyClientOptions,
  type KeyVaultKey,
} from '@azure/keyvault-keys';
import { concatBytes, fromHex, toHex } from '@fastness/codec/bytes';
import { ecdsaSignatureFromRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm, KeyPurpose, KeySpec, ManagedKeyStore } from '../key-store.ts';
import { azureFault } from './azure-errors.ts';
import { keyName, parseKeyName, parseVaultUrl } from './azure-names.ts';
import { answerPolicy } from './azure-policy.ts';
import type { CloudBackend, CloudKey, CloudOperation, CloudVersion } from './backend.ts';
import { groupVersions, type FoundVersion } from './group-versions.ts';
import { checkPrefix, defaultPrefix } from './name-prefix.ts';
import { CloudKeyStore, type CloudStoreOptions } from './store.ts';

export interface AzureKeyVaultOptions extends CloudStoreOptions {
  /** `https://NAME.vault.azure.net` or `https://NAME.managedhsm.azure.net`, or of a national cloud. */
  readonly vaultUrl: string;
  /** Gives tokens of Entra ID; such as those of @azure/identity. The vault says for whom the token has to be. */
  readonly credential: TokenCredential;
  /** What the names of keys begin with. Default: fastness. */
  readonly prefix?: string;
  /** Whether keys must be in HSMs (Premium vaults, Managed HSM). Others are then neither made nor used. Default: true. */
  readonly requireHardware?: boolean;
  /** Times one request is tried; only failures that may pass are tried again. Default: 3. */
  readonly attempts?: number;
  /** Proxy, agents and policies of the SDK. */
  readonly clientOptions?: Omit<KeyClientOptions, 'disableChallengeResourceVerification' | 'retryOptions'>;
}

const wrapOperations = ['wrapKey', 'unwrapKey'];
const signOperations = ['sign', 'verify'];
const curves: Readonly<Record<string, 'P-256' | 'P-384'>> = Object.freeze({ 'P-256': 'P-256', 'P-384': 'P-384' });
const versionBytes = 16;

/**
 * Keys in one Azure Key Vault or Managed HSM. Each version of a key is a vault key of its own, named
 * `PREFIX-ID-vVERSION`, because a vault cannot destroy one version of its own. Wrapping is RSA-OAEP-256 with RSA-3072
 * in a vault and AES key wrap with 256 bits in a Managed HSM; neither takes a context, so it is bound here (see
 * docs/keys-cloud.md). Keys that may do more than their job, or may be exported or released, are refused.
 *
 * Tokens go only to the address of the vault, and only such as are meant for it.
 * Errors: KEYS_URI.
 */
export function openAzureKeyVaultKeyStore(options: AzureKeyVaultOptions): ManagedKeyStore {
  return new CloudKeyStore(new AzureKeyVault(options), options);
}

class AzureKeyVault implements CloudBackend {
  readonly kind = 'azure-key-vault';
  readonly hardware: boolean;
  readonly description: string;
  readonly wrapAlgorithm: string;
  readonly signing = ['P-256', 'P-384'] as const;
  readonly checksums = false;
  readonly #client: KeyClient;
  readonly #credential: TokenCredential;
  readonly #clientOptions: KeyClientOptions;
  readonly #prefix: string;
  readonly #vault: string;
  readonly #managed: boolean;
  readonly #wrapping: 'A256KW' | 'RSA-OAEP-256';
  readonly #clients = new Map<string, CryptographyClient>();

  constructor(options: AzureKeyVaultOptions) {
    const { url, managed } = parseVaultUrl(options.vaultUrl);
    const { requireHardware = true, attempts = 3 } = options;
    this.#vault = url;
    this.#managed = managed;
    this.#prefix = checkPrefix(options.prefix ?? defaultPrefix);
    this.#wrapping = managed ? 'A256KW' : 'RSA-OAEP-256';
    this.wrapAlgorithm = `AZURE-${this.#wrapping}+A256GCM`;
    this.hardware = requireHardware || managed;
    this.description = this.hardware
      ? `Azure ${managed ? 'Managed HSM' : 'Key Vault'}: hardware of the provider keeps these keys`
      : 'Azure Key Vault: no hardware is asked for, the provider keeps these keys';
    this.#credential = options.credential;
    this.#clientOptions = {
      ...options.clientOptions,
      additionalPolicies: [answerPolicy, ...(options.clientOptions?.additionalPolicies ?? [])],
      retryOptions: { maxRetries: attempts - 1, retryDelayInMs: 200, maxRetryDelayInMs: 5000 },
    };
    this.#client = new KeyClient(url, options.credential, this.#clientOptions);
  }

  async load(signal: AbortSignal): Promise<CloudKey[]> {
    const names: { id: string; version: number; name: string }[] = [];
    for await (const { name } of this.#client.listPropertiesOfKeys({ abortSignal: signal })) {
      const parsed = parseKeyName(this.#prefix, name);
      if (parsed !== undefined) names.push({ ...parsed, name });
    }
    const found: FoundVersion[] = [];
    for (let start = 0; start < names.length; start += 8) {
      const read = names.slice(start, start + 8).map(async ({ id, version, name }) => {
        const key = await this.#client.getKey(name, { abortSignal: signal });
        return this.#versionOf(id, version, name, key);
      });
      for (const one of await Promise.all(read)) if (one !== undefined) found.push(one);
    }
    return groupVersions(found);
  }

  async create(spec: KeySpec, version: number, signal: AbortSignal): Promise<void> {
    const name = keyName(this.#prefix, spec.id, version);
    if (await this.#exists(name, signal)) throw new FastnessError('KEYS_ID_EXISTS', spec.id);
    const options: CreateKeyOptions = {
      abortSignal: signal,
      exportable: false,
      keyOps: spec.purpose === 'wrap' ? wrapOperations : signOperations,
      tags: { fastness: `${spec.id}/${version}` },
    };
    const suffix = this.hardware ? '-HSM' : '';
    if (spec.purpose === 'sign') {
      const curve = curves[spec.algorithm];
      if (curve === undefined) throw new FastnessError('KEYS_CLOUD_UNSUPPORTED');
      await this.#client.createKey(name, `EC${suffix}`, { ...options, curve });
    } else if (this.#managed) {
      await this.#client.createKey(name, 'oct-HSM', { ...options, keySize: 256 });
    } else {
      await this.#client.createKey(name, `RSA${suffix}`, { ...options, keySize: 3072 });
    }
  }

  async wrapSecret(version: CloudVersion, secret: Uint8Array, _binding: Uint8Array, signal: AbortSignal) {
    const answer = await this.#clientOf(version.ref).wrapKey(this.#wrapping, secret, { abortSignal: signal });
    requireKey(version.ref, answer.keyID);
    // The vault's own version goes along: a rotation policy may put another one in front.
    return concatBytes(fromHex(vaultVersion(version.ref)), required(answer.result));
  }

  async unwrapSecret(version: CloudVersion, blob: Uint8Array, _binding: Uint8Array, signal: AbortSignal) {
    if (blob.length <= versionBytes) throw new FastnessError('KEYS_UNWRAP');
    const ref = version.ref.replace(/[^/]+$/, toHex(blob.subarray(0, versionBytes)));
    // Whoever made the blob chose the version: only the current one's client is kept.
    const client = ref === version.ref ? this.#clientOf(ref) : this.#newClient(ref);
    try {
      const part = blob.slice(versionBytes);
      const answer = await client.unwrapKey(this.#wrapping, part, { abortSignal: signal });
      requireKey(ref, answer.keyID);
      return required(answer.result);
    } catch (error) {
      const fault = error instanceof FastnessError ? error : azureFault(error, 'unwrap');
      if (ref !== version.ref && fault.code === 'KEYS_CLOUD_NOT_FOUND') throw new FastnessError('KEYS_UNWRAP');
      throw fault;
    }
  }

  async publicKey({ ref }: CloudVersion, signal: AbortSignal): Promise<Uint8Array> {
    const { key, id } = await this.#client.getKey(nameOf(ref), { version: vaultVersion(ref), abortSignal: signal });
    requireKey(ref, id);
    const { crv, x, y } = key ?? {};
    const jwk = { kty: 'EC', crv: String(crv), x: base64Url(x), y: base64Url(y) };
    try {
      return new Uint8Array(createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'der', type: 'spki' }));
    } catch {
      throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'No public key.');
    }
  }

  async sign({ ref }: CloudVersion, algorithm: KeyAlgorithm, message: Uint8Array, signal: AbortSignal) {
    const wide = algorithm === 'P-384';
    const digest = new Uint8Array(
      createHash(wide ? 'sha384' : 'sha256')
        .update(message)
        .digest(),
    );
    const options = { abortSignal: signal };
    const answer = await this.#clientOf(ref).sign(wide ? 'ES384' : 'ES256', digest, options);
    requireKey(ref, answer.keyID);
    const raw = required(answer.result);
    if (raw.length !== (wide ? 96 : 64)) throw new FastnessError('KEYS_CLOUD_INTEGRITY', 'No signature.');
    return ecdsaSignatureFromRaw(raw);
  }

  async setEnabled({ ref }: CloudVersion, enabled: boolean, signal: AbortSignal): Promise<void> {
    const options = { enabled, abortSignal: signal };
    await this.#client.updateKeyProperties(nameOf(ref), vaultVersion(ref), options);
  }

  /** The vault keeps what was deleted for its retention time, 7 to 90 days; nothing more is waited for. */
  async destroy({ ref }: CloudVersion, signal: AbortSignal): Promise<void> {
    const poller = await this.#client.beginDeleteKey(nameOf(ref), { abortSignal: signal });
    poller.stopPolling();
  }

  fault(error: unknown, operation: CloudOperation): FastnessError {
    return azureFault(error, operation);
  }

  close(): void {
    this.#clients.clear();
  }

  async #exists(name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#client.getKey(name, { abortSignal: signal });
      return true;
    } catch (error) {
      const fault = azureFault(error, 'create');
      if (fault.code === 'KEYS_CLOUD_NOT_FOUND') return false;
      throw fault;
    }
  }

  #versionOf(id: string, version: number, name: string, found: KeyVaultKey): FoundVersion | undefined {
    const { id: ref, keyType, keyOperations = [], key, properties } = found;
    const prefix = `${this.#vault}/keys/${name}/`;
    if (ref?.startsWith(prefix) !== true || !/^[0-9a-f]{32}$/.test(ref.slice(prefix.length))) {
      throw new FastnessError('KEYS_CLOUD_WRONG_KEY', id);
    }
    const wraps =
      keyType === (this.#managed ? 'oct-HSM' : 'RSA') || keyType === (this.#managed ? 'oct-HSM' : 'RSA-HSM');
    const curve = curves[key?.crv ?? ''];
    const signs = (keyType === 'EC' || keyType === 'EC-HSM') && curve !== undefined;
    if (!wraps && !signs) return undefined;
    const purpose: KeyPurpose = wraps ? 'wrap' : 'sign';
    const algorithm: KeyAlgorithm = wraps ? 'AES-256-GCM' : (curve ?? 'P-256');
    const allowed = wraps ? wrapOperations : signOperations;
    const narrow = keyOperations.length > 0 && keyOperations.every((operation) => allowed.includes(operation));
    const releasable = properties.exportable === true || properties.releasePolicy !== undefined;
    let state: CloudVersion['state'] = properties.enabled === true ? 'enabled' : 'disabled';
    if (this.hardware && !(keyType ?? '').endsWith('-HSM')) state = 'software';
    if (!narrow || releasable) state = 'unusable';
    return { id, version, ref, purpose, algorithm, state, createdAt: properties.createdOn ?? new Date(0) };
  }

  #clientOf(ref: string): CryptographyClient {
    let client = this.#clients.get(ref);
    if (client === undefined) {
      client = this.#newClient(ref);
      this.#clients.set(ref, client);
    }
    return client;
  }

  #newClient(ref: string): CryptographyClient {
    return new CryptographyClient(ref, this.#credential, this.#clientOptions);
  }
}

function nameOf(ref: string): string {
  return new URL(ref).pathname.split('/')[2] ?? '';
}

function vaultVersion(ref: string): string {
  return new URL(ref).pathname.split('/')[3] ?? '';
}

function base64Url(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? new Uint8Array(0)).toString('base64url');
}

function requireKey(ref: string, echoed: string | undefined): void {
  if (echoed !== ref) throw new FastnessError('KEYS_CLOUD_WRONG_KEY');
}

function required(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined || bytes.length === 0) throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'A field is missing.');
  return new Uint8Array(bytes);
}

export { releaseAzureKey, type ReleaseAzureKeyOptions } from './azure-release.ts';
export {
  openReleasedKey,
  type OpenReleasedKeyOptions,
  type ReleaseAlgorithm,
  type ReleasedKey,
} from './released-key.ts';
