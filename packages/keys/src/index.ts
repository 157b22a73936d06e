export {
  algorithmsOf,
  type KeyAlgorithm,
  type KeyInfo,
  type KeyPurpose,
  type KeySpec,
  type KeyStore,
  type ManagedKeyStore,
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
export { readPrivateFile, type ReadPrivateFileOptions } from './private-file.ts';
export { createSoftwareKeyStore, openSoftwareKeyStore } from './software/store.ts';
export type { SoftwareKeyStoreOptions } from './software/store-file.ts';
export { defaultKdfCost, kdfBounds, type KdfCost } from './software/kdf.ts';
export { openPkcs11KeyStore, type Pkcs11KeyStore, type Pkcs11KeyStoreOptions } from './pkcs11/store.ts';
export { parsePkcs11Uri, type Pkcs11Uri, type PinSource, type TokenMatch } from './pkcs11/uri.ts';
export { pkcs11Profiles, type Pkcs11Profile } from './pkcs11/profiles.ts';
export type { Probe as TokenProbe, TokenFacts } from './pkcs11/messages.ts';
export { keyStoreSchemes, openKeyStore, type OpenKeyStoreOptions } from './open-key-store.ts';
