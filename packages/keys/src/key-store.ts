import type { WrappedKey } from './wrapped-key.ts';

/** What a key may be used for. One key has one purpose for life: a wrapping key cannot sign, nor the reverse. */
export type KeyPurpose = 'wrap' | 'sign';

export type KeyAlgorithm = 'AES-256-GCM' | 'P-256' | 'P-384' | 'Ed25519';

/** Which algorithms serve which purpose. */
export const algorithmsOf = Object.freeze({
  wrap: Object.freeze(['AES-256-GCM'] as const),
  sign: Object.freeze(['P-256', 'P-384', 'Ed25519'] as const),
}) satisfies Record<KeyPurpose, readonly KeyAlgorithm[]>;

export interface KeySpec {
  /** 1 to 64 characters of a-z 0-9 . _ -, beginning with a letter or digit. Lower case only: no two ids look alike by case. */
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
}

export interface KeyInfo extends KeySpec {
  /** The version used by `wrap` and `sign` from now on. */
  readonly version: number;
  /** Every version still held, ascending; older ones only unwrap. */
  readonly versions: readonly number[];
  /** ISO 8601, when the key was created. */
  readonly createdAt: string;
  /** ISO 8601, since when the key is disabled; absent while it may be used. */
  readonly disabledAt?: string;
}

/**
 * Holds keys and uses them; key bytes never leave it, except what it was asked to unwrap.
 * Closing the store (`await using`, or `[Symbol.asyncDispose]()`) ends the session and wipes what it held in memory.
 */
export interface KeyStore extends AsyncDisposable {
  readonly kind: 'software' | 'pkcs11' | 'aws-kms' | 'azure-key-vault' | 'google-kms';
  /** Whether hardware keeps the keys. False means: whoever reads this process's memory has them. */
  readonly hardware: boolean;
  /** One line for logs and screens that says what protects the keys. */
  readonly description: string;

  list(): Promise<KeyInfo[]>;

  /** Errors: KEYS_ID_INVALID, KEYS_ID_EXISTS, KEYS_ALGORITHM, KEYS_FULL. */
  create(spec: KeySpec): Promise<KeyInfo>;

  /** SubjectPublicKeyInfo, DER. Errors: KEYS_ID_UNKNOWN, KEYS_PURPOSE. */
  publicKey(id: string): Promise<Uint8Array>;

  /**
   * Encrypts a key under the current version of `id`, bound to `context`: unwrapping under any other context fails.
   * Both are 1 to 4096 bytes. Errors: KEYS_ID_UNKNOWN, KEYS_PURPOSE, KEYS_SIZE.
   */
  wrap(id: string, plaintext: Uint8Array, context: Uint8Array): Promise<WrappedKey>;

  /**
   * Decrypts under the key and version that `wrapped` names; the caller wipes the result.
   * Errors: KEYS_ID_UNKNOWN, KEYS_VERSION_UNKNOWN, KEYS_PURPOSE, KEYS_WRAPPED_ALGORITHM, KEYS_UNWRAP.
   */
  unwrap(wrapped: WrappedKey, context: Uint8Array): Promise<Uint8Array>;

  /**
   * Signs the message itself (the store hashes): P-256 with SHA-256 and P-384 with SHA-384 give a DER signature,
   * Ed25519 gives 64 bytes. Errors: KEYS_ID_UNKNOWN, KEYS_PURPOSE.
   */
  sign(id: string, message: Uint8Array): Promise<Uint8Array>;
}

/** A store that can give a wrapping key a new version and destroy old ones. */
export interface RotatableKeyStore extends KeyStore {
  /**
   * Adds a version to a wrapping key and makes it current; older versions still unwrap. A signing key does not
   * rotate: its public key is pinned elsewhere, so a successor gets an id of its own.
   * Errors: KEYS_ID_UNKNOWN, KEYS_PURPOSE, KEYS_FULL.
   */
  rotate(id: string): Promise<KeyInfo>;

  /**
   * Destroys every version below `before`, which is at most the current one. What they wrapped is lost
   * unless it was wrapped anew (`rewrap`). Errors: KEYS_ID_UNKNOWN, KEYS_PURPOSE, KEYS_VERSION_UNKNOWN.
   */
  retire(id: string, before: number): Promise<KeyInfo>;
}

/** A rotatable store whose keys can be taken out of use for a while, and for good. */
export interface ManagedKeyStore extends RotatableKeyStore {
  /** Algorithms of keys that it can make to sign; absent where only trying shows it. */
  readonly signing?: readonly KeyAlgorithm[];

  /** The key wraps, unwraps and signs no more (KEYS_DISABLED) until `enable`. Errors: KEYS_ID_UNKNOWN. */
  disable(id: string): Promise<KeyInfo>;

  /** Errors: KEYS_ID_UNKNOWN. */
  enable(id: string): Promise<KeyInfo>;

  /**
   * Destroys a disabled key with all its versions. What they wrapped is lost for good.
   * Errors: KEYS_ID_UNKNOWN, KEYS_NOT_DISABLED.
   */
  destroy(id: string): Promise<void>;
}
