/** Names and numbers of Android key attestation (source.android.com/docs/security/features/keystore/attestation). */

/** The extension of the attested key's certificate that describes the key: KeyDescription. */
export const KEY_DESCRIPTION_OID = '1.3.6.1.4.1.11129.2.1.17';
/** The extension of a remotely provisioned attestation certificate: CBOR map, 1: certificates issued to the device lately. */
export const PROVISIONING_INFO_OID = '1.3.6.1.4.1.11129.2.1.30';

/** `attestationVersion`: Keymaster 2 to 4.1, KeyMint 1 to 5. */
export const attestationVersions: ReadonlySet<number> = new Set([1, 2, 3, 4, 100, 200, 300, 400, 500]);

/** SecurityLevel, by number. */
export const securityLevels = Object.freeze(['software', 'trusted-environment', 'strongbox'] as const);
export type SecurityLevel = (typeof securityLevels)[number];

/** VerifiedBootState, by number. */
export const bootStates = Object.freeze(['verified', 'self-signed', 'unverified', 'failed'] as const);
export type BootState = (typeof bootStates)[number];

/** KeyPurpose, by number. 4 is reserved. */
export const keyPurposes: ReadonlyMap<number, string> = new Map([
  [0, 'encrypt'],
  [1, 'decrypt'],
  [2, 'sign'],
  [3, 'verify'],
  [5, 'wrap-key'],
  [6, 'agree-key'],
  [7, 'attest-key'],
]);

/** Algorithm, by number, of keys that have a certificate. */
export const keyAlgorithms: ReadonlyMap<number, string> = new Map([
  [1, 'rsa'],
  [3, 'ec'],
  [4, 'ml-dsa'],
]);

/** KeyOrigin, by number. */
export const keyOrigins: ReadonlyMap<number, string> = new Map([
  [0, 'generated'],
  [1, 'derived'],
  [2, 'imported'],
  [3, 'unknown'],
  [4, 'securely-imported'],
]);

/** Identifiers that a device may attest, by their tags. */
export const idTags: ReadonlyMap<number, string> = new Map([
  [710, 'brand'],
  [711, 'device'],
  [712, 'product'],
  [713, 'serial'],
  [714, 'imei'],
  [715, 'meid'],
  [716, 'manufacturer'],
  [717, 'model'],
  [723, 'secondImei'],
]);

/** Bytes of `attestationChallenge`. */
export const MAX_CHALLENGE_BYTES = 128;
/** Certificates in a chain; genuine ones have three to five. */
export const MAX_CERTIFICATES = 8;
/** Bytes of one certificate; ML-DSA keys make them large. */
export const MAX_CERTIFICATE_BYTES = 16_384;
/** Elements in an authorization list; there are about 60 tags. */
export const MAX_AUTHORIZATIONS = 128;
