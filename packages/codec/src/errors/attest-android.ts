import type { ErrorFacts } from './class.ts';

const reattest = 'Ask the device for a new attestation; if it persists, the attestation is forged or was damaged.';
const distrust =
  'Do not trust this key: its attestation is forged or was assembled from parts that do not belong together.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of Android key attestations, in the order in which the checks run. */
export const androidErrors = Object.freeze({
  // parse
  ANDROID_EXTENSION_MISSING: invalid('The certificate of the key holds no attestation.', reattest),
  ANDROID_EXTENSION_REPEATED: invalid(
    'A certificate above the key holds an attestation too: the key was not attested by the secure hardware directly.',
    distrust,
  ),
  ANDROID_LEVEL: invalid('A security level in the attestation is none that exists.', reattest),
  ANDROID_TAG_ORDER: invalid('The properties in the attestation are out of order, or one is there twice.', reattest),
  ANDROID_ROOT_OF_TRUST: invalid('The root of trust in the attestation does not follow its format.', reattest),
  ANDROID_VERSION: {
    class: 'not-mine',
    message: 'The attestation is of a version that this verifier does not know.',
    next: 'Update Fastness.',
  },
  ANDROID_PROVISIONING_INFO: invalid('The provisioning information of the chain does not follow its format.', reattest),

  // authenticate
  ANDROID_ROOT_NOT_PINNED: invalid(
    'The last certificate of the chain does not hold a pinned root key.',
    'Keys attested by software, by emulators and by other vendors end in other roots; use a device that Google certified.',
  ),
  ANDROID_CHAIN_NAMES: invalid('A certificate was not issued by the next one in the chain.', distrust),
  ANDROID_LEAF_AUTHORITY: invalid('The attested key is an authority itself.', distrust),
  ANDROID_AUTHORITY_CONSTRAINTS: invalid('A certificate of the chain may not issue the one below it.', distrust),
  ANDROID_CERTIFICATE_EXTENSION: {
    class: 'not-mine',
    message: 'A certificate of the chain has a critical extension that this verifier does not know.',
    next: 'Update Fastness; guessing what the extension means would be unsafe.',
  },
  ANDROID_ROOT_SIGNATURE: invalid('The root certificate is not signed by its own key.', distrust),
  ANDROID_INTERMEDIATE_SIGNATURE: invalid('A certificate of the chain is not signed by its issuer.', distrust),
  ANDROID_LEAF_SIGNATURE: invalid('The certificate of the key is not signed by its issuer.', distrust),
  ANDROID_INTERMEDIATE_VALIDITY: invalid(
    'A certificate between the key and the root is not valid at this time.',
    'Let the device fetch new attestation certificates, and make a new key. Check the clock of this machine too.',
  ),
  ANDROID_LEVEL_MISMATCH: invalid(
    'The attestation says that it comes from other hardware than its key was certified for.',
    distrust,
  ),
  ANDROID_STATUS_NOT_PINNED: invalid(
    'A status list was sent along whose digest the policy does not pin.',
    'Hand the list in as an anchor, or pin its digest in policy.androidKey.statusLists.',
  ),
  ANDROID_STATUS_STALE: {
    class: 'unavailable',
    message: 'The status list is older than the policy allows, or dated in the future.',
    next: 'Fetch https://android.googleapis.com/attestation/status again.',
  },
  ANDROID_STATUS_MISSING: {
    class: 'unavailable',
    message: 'There is no status list to tell revoked attestation keys by.',
    next: 'Fetch https://android.googleapis.com/attestation/status and hand it in as an anchor.',
  },
  ANDROID_STATUS_MALFORMED: invalid('The status list does not follow its format.', 'Fetch the status list again.'),
  ANDROID_REVOKED: invalid(
    'A key of the chain was revoked or suspended.',
    'Do not trust this device: keys on the list have leaked, and software attests with them.',
  ),

  // appraise
  ANDROID_CHALLENGE_MISMATCH: denied(
    'The attestation was not made for the expected challenge.',
    'Ask for a key attested for this session.',
  ),
  ANDROID_ATTESTATION_LEVEL: denied(
    'The attestation was not made where the policy asks for it.',
    'Use a device with the secure hardware that policy.androidKey.securityLevels lists.',
  ),
  ANDROID_KEY_LEVEL: denied(
    'The key does not live where the policy asks for it.',
    'Make the key in the secure hardware that policy.androidKey.securityLevels lists.',
  ),
  ANDROID_VERSION_LOW: denied('The attestation is of an older version than the policy allows.', 'Use a newer device.'),
  ANDROID_PROVISIONING: denied(
    'The attestation key was put into the device at the factory.',
    'Use a device with remotely provisioned keys, or accept any in the policy.',
  ),
  ANDROID_ROOT_OF_TRUST_MISSING: denied(
    'The secure hardware does not state how the device was booted.',
    'Use a device whose hardware attests its boot.',
  ),
  ANDROID_UNLOCKED: denied(
    'The boot loader of the device is unlocked.',
    'Lock it; for development only, waive ANDROID_UNLOCKED by name.',
  ),
  ANDROID_BOOT_STATE: denied(
    'The system that runs was not verified as the policy asks.',
    'Install a genuine system; for development only, waive ANDROID_BOOT_STATE by name.',
  ),
  ANDROID_BOOT_KEY_NOT_ALLOWED: denied(
    'The system was verified with a key that the policy does not list.',
    'Compare it with policy.androidKey.verifiedBootKeys.',
  ),
  ANDROID_MEASUREMENT_NOT_ALLOWED: denied(
    'The verified boot hash is not one that the policy accepts.',
    'Run a listed system, or add its hash to the policy.',
  ),
  ANDROID_PATCH_LOW: denied(
    'A version or patch level is below the floor of the policy, or not stated.',
    'Update the device, or lower policy.androidKey.minimumPatch.',
  ),
  ANDROID_KEY_ORIGIN: denied('The key was not made inside the secure hardware.', 'Generate the key there.'),
  ANDROID_KEY_ALGORITHM: denied(
    'The key is of a kind that the policy does not list.',
    'Make a key that policy.androidKey.algorithms lists.',
  ),
  ANDROID_KEY_PURPOSE: denied(
    'The key may be used for something that the policy does not list.',
    'Make a key for the purposes in policy.androidKey.purposes alone.',
  ),
  ANDROID_KEY_UNGUARDED: denied(
    'The key can be used without its user authenticating.',
    'Make the key with setUserAuthenticationRequired.',
  ),
  ANDROID_APPLICATION_NOT_ALLOWED: denied(
    'The application that asked is not one that the policy lists.',
    'Compare packages and signers with policy.androidKey.applications.',
  ),
  ANDROID_ID_NOT_ALLOWED: denied(
    'The device does not attest an identifier that the policy lists.',
    'Compare the identifiers with policy.androidKey.ids.',
  ),
} as const satisfies Record<string, ErrorFacts>);
