import type { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm, KeyPurpose, KeySpec, KeyStore } from '../key-store.ts';

/** One version of a key, as its service describes it. */
export interface CloudVersion {
  /** Our number of it, 1 or more. */
  readonly version: number;
  /** The service's own full name of it. */
  readonly ref: string;
  /** `software`: hardware is asked for, and this is kept without. `unusable`: of a kind that is not used here. */
  readonly state: 'enabled' | 'disabled' | 'pending-deletion' | 'software' | 'unusable';
  readonly createdAt: Date;
}

export interface CloudKey {
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** Ascending, at least one. */
  readonly versions: readonly CloudVersion[];
}

/** What a request was for: the same answer of a service can mean different things. */
export type CloudOperation = 'list' | 'create' | 'wrap' | 'unwrap' | 'sign' | 'public-key' | 'manage' | 'release';

/** What one service does; `CloudKeyStore` does what all have in common. */
export interface CloudBackend {
  readonly kind: KeyStore['kind'];
  readonly hardware: boolean;
  readonly description: string;
  /** `WrappedKey.algorithm` of what is wrapped here. */
  readonly wrapAlgorithm: string;
  readonly signing: readonly KeyAlgorithm[];
  /** Whether answers carry checksums, so that a wrapped secret need not be tried out. */
  readonly checksums: boolean;

  load(signal: AbortSignal): Promise<CloudKey[]>;
  /** Makes version `version` of the key. Errors: KEYS_ID_EXISTS when it is there. */
  create(spec: KeySpec, version: number, signal: AbortSignal): Promise<void>;
  /** Encrypts 32 bytes, bound to `binding` (32 bytes) where the service can bind. */
  wrapSecret(version: CloudVersion, secret: Uint8Array, binding: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  unwrapSecret(version: CloudVersion, blob: Uint8Array, binding: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** SubjectPublicKeyInfo. */
  publicKey(version: CloudVersion, signal: AbortSignal): Promise<Uint8Array>;
  /** As `KeyStore.sign`. */
  sign(version: CloudVersion, algorithm: KeyAlgorithm, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  setEnabled(version: CloudVersion, enabled: boolean, signal: AbortSignal): Promise<void>;
  /** Destroys the version, or begins to, where the service insists on a delay. */
  destroy(version: CloudVersion, signal: AbortSignal): Promise<void>;
  /** The one place that knows the errors of the SDK. Nothing of a request or answer may get into the result. */
  fault(error: unknown, operation: CloudOperation): FastnessError;
  close(): void | Promise<void>;
}
