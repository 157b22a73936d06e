import type { TokenFacts } from './messages.ts';

/** What is known of one vendor's module: from its documentation where `tested` says so. */
export interface Pkcs11Profile {
  readonly name: string;
  /** Whether the tests run this module, or its documentation is all there is. */
  readonly tested: 'in the tests' | 'not run on hardware';
  /** Whether a device keeps the keys. `slot`: as the module says of its slot (CKF_HW_SLOT). */
  readonly hardware: boolean | 'slot';
  /** How wrapping keys come out, as far as the documentation tells; probing decides. */
  readonly wrapping: string;
  /** What is different from the standard, or from others, and matters here. */
  readonly differences: readonly string[];
}

interface KnownModule extends Pkcs11Profile {
  /** Compared with the manufacturer of the token or of the library. */
  readonly manufacturer: RegExp;
}

/** Known modules. The first that fits counts. */
export const pkcs11Profiles: readonly KnownModule[] = Object.freeze([
  {
    name: 'SoftHSM 2',
    manufacturer: /^SoftHSM/,
    tested: 'in the tests',
    hardware: false,
    wrapping: 'AES-256-GCM on the token',
    differences: ['OAEP with SHA-1 only, so no RSA wrapping', 'answers a wrong GCM tag with CKR_GENERAL_ERROR'],
  },
  {
    name: 'NSS softoken',
    manufacturer: /^Mozilla/,
    tested: 'in the tests',
    hardware: false,
    wrapping: 'AES-256-GCM on the token; RSA-3072 OAEP-SHA256 works too',
    differences: ['wants its configuration in C_Initialize (x-library-parameters)', 'no Ed25519'],
  },
  {
    name: 'AWS CloudHSM (client SDK 5)',
    manufacturer: /^(?:Amazon|AWS|Cavium|Marvell)/i,
    tested: 'not run on hardware',
    hardware: true,
    wrapping: 'AES-256-GCM on the token, with the nonce of the HSM',
    differences: [
      'makes the nonce of AES-GCM itself: it wants zeros and writes over them; the store tries that when its own nonce is refused',
      'the PIN is USER:PASSWORD',
      'labels of token keys can be changed by their owner only',
      'no Ed25519',
    ],
  },
  {
    name: 'Thales Luna',
    manufacturer: /^(?:SafeNet|Gemalto|Thales|Chrysalis)/i,
    tested: 'not run on hardware',
    hardware: true,
    wrapping: 'AES-256-GCM on the token; in FIPS mode with the nonce of the HSM, else RSA',
    differences: [
      'in FIPS mode the nonce of AES-GCM must come from the HSM, which some firmware appends to the ciphertext: then RSA is used',
      'CKA_ID and labels of private keys can be changed unless the partition forbids it',
    ],
  },
  {
    name: 'YubiHSM 2',
    manufacturer: /^Yubico/i,
    tested: 'not run on hardware',
    hardware: true,
    wrapping: 'RSA-3072 OAEP-SHA256: the device has no AES-GCM',
    differences: [
      'CKA_ID of more than 2 bytes and changes of labels need library 2.4 or newer (metadata objects)',
      'the PIN is the 4 hex digits of the authentication key, then its password',
      'RSA keys take tens of seconds to make',
      'no session objects: `doctor` cannot probe, making a key does',
    ],
  },
  {
    name: 'Google Cloud KMS (libkmsp11)',
    manufacturer: /^Google/i,
    tested: 'not run on hardware',
    hardware: 'slot',
    wrapping: 'none: use the Google Cloud store instead',
    differences: [
      'ids of objects are resource names that a caller cannot choose, so this store cannot name its keys',
      'no C_WrapKey, no C_UnwrapKey; RSA decryption and signing only',
    ],
  },
  {
    name: 'Azure Managed HSM (PKCS #11 library)',
    manufacturer: /^Microsoft/i,
    tested: 'not run on hardware',
    hardware: true,
    wrapping: 'as probed; the Azure store is the better way where keys shall be released to attested machines',
    differences: ['keys are created with policies that the library maps from attributes', 'no Ed25519'],
  },
]);

export function profileOf(token: Pick<TokenFacts, 'manufacturer' | 'libraryManufacturer'>): Pkcs11Profile | undefined {
  return pkcs11Profiles.find(
    ({ manufacturer }) => manufacturer.test(token.manufacturer) || manufacturer.test(token.libraryManufacturer),
  );
}

/** A device: known to be one, or a slot that calls itself hardware and is not known to be software. */
export function hardwareOf(token: Pick<TokenFacts, 'hardwareSlot'>, profile: Pkcs11Profile | undefined): boolean {
  if (profile === undefined || profile.hardware === 'slot') return token.hardwareSlot;
  return profile.hardware;
}
