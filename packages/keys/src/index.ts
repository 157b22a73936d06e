export {
  algorithmsOf,
  type KeyAlgorithm,
  type KeyInfo,
  type KeyPurpose,
  type KeySpec,
  type KeyStore,
  type RotatableKeyStore,
} from './key-store.ts';
export {
  keyIdPattern,
  maxWrappedBytes,
  rewrap,
  wrappedKeyFromJson,
  wrappedKeySchema,
  wrappedKeyToJson,
  type WrappedKey,
  type WrappedKeyJson,
} from './wrapped-key.ts';
export { readPassphraseFile } from './passphrase.ts';
export { createSoftwareKeyStore, openSoftwareKeyStore } from './software/store.ts';
export type { SoftwareKeyStoreOptions } from './software/store-file.ts';
export { defaultKdfCost, kdfBounds, type KdfCost } from './software/kdf.ts';
