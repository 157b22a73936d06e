import type { ErrorFacts } from './class.ts';

/** Codes of `keys` for stores that hold their keys in hardware, and for keys that are out of use. */
export const keysHsmErrors = Object.freeze({
  KEYS_DISABLED: {
    class: 'denied',
    message: 'The key is disabled.',
    next: 'Enable it (fastness keys enable) when it may be used again.',
  },
  KEYS_NOT_DISABLED: {
    class: 'conflict',
    message: 'The key is in use, or was until lately, and therefore not destroyed.',
    next: 'Disable it first, and wait until nothing needs it: what it wrapped is lost once it is destroyed.',
  },
  KEYS_HARDWARE_REQUIRED: {
    class: 'denied',
    message: 'Hardware is required to keep this key, and this key store has none.',
    next: 'Configure a store of an HSM (pkcs11:...), or remove requireHardware from the policy knowingly.',
  },
  KEYS_HSM_URI: {
    class: 'usage',
    message: 'The PKCS #11 URI is not one that this store accepts.',
    next: 'Write pkcs11:token=NAME?module-path=/path/to/module.so&pin-source=file:/path/to/pin (see docs/keys.md).',
  },
  KEYS_HSM_MODULE: {
    class: 'unavailable',
    message: "The HSM's PKCS #11 module could not be loaded.",
    next: "Check module-path, and that the vendor's library is complete and for this processor.",
  },
  KEYS_HSM_TOKEN: {
    class: 'unavailable',
    message: 'The token that the URI names was not found, or more than one fits.',
    next: 'Check label and serial (pkcs11-tool --list-slots), and that the device is connected.',
  },
  KEYS_HSM_PIN: {
    class: 'unauthorized',
    message: 'The token refused the PIN. It was tried once and will not be tried again.',
    next: 'Correct the file that pin-source names and start anew; every wrong try counts towards locking the token.',
  },
  KEYS_HSM_PIN_LOCKED: {
    class: 'unauthorized',
    message: 'The PIN of the token is locked, or would be by one more wrong try.',
    next: 'Log in by hand with the right PIN, or have the security officer unlock the token.',
  },
  KEYS_HSM_PIN_SOURCE: {
    class: 'unauthorized',
    message: 'The PIN could not be read.',
    next: 'Name a file of mode 0600 of this user, without a symbolic link, or an open descriptor as pin-source.',
  },
  KEYS_HSM_UNSUPPORTED: {
    class: 'usage',
    message: 'The token cannot do this.',
    next: 'See what it can do with `fastness keys doctor`, and choose another algorithm or another store.',
  },
  KEYS_HSM_EXTRACTABLE: {
    class: 'denied',
    message: 'The key on the token could be taken out of it, or once could.',
    next: 'Create a new key with this store, wrap anew with it, and destroy this one.',
  },
  KEYS_HSM_USAGE: {
    class: 'denied',
    message: 'The key on the token may do more than its one job, or is of a kind that this store does not use.',
    next: 'Create keys with this store; a key that both decrypts and unwraps gives away what it protects.',
  },
  KEYS_HSM_AMBIGUOUS: {
    class: 'conflict',
    message: 'Objects on the token cannot be told apart, or do not belong together.',
    next: 'Look at the objects with pkcs11-tool -O and remove the one that does not belong there.',
  },
  KEYS_HSM_CONFLICT: {
    class: 'conflict',
    message: 'Another process is making the same key version.',
    next: 'Look at the list of keys and try again if the version is not there; nothing was changed.',
  },
  KEYS_HSM_FULL: {
    class: 'limit',
    message: 'The token has no room for more objects or sessions.',
    next: 'Retire or destroy keys, or close other sessions.',
  },
  KEYS_HSM_READ_ONLY: {
    class: 'denied',
    message: 'The token or the session is write-protected.',
    next: 'Make the token writable for this user, or create the key elsewhere.',
  },
  KEYS_HSM_FAILED: {
    class: 'unavailable',
    message: 'The module answered with an error.',
    next: "Look the answer up in the vendor's documentation and logs; try again if the device was busy.",
  },
  KEYS_HSM_CRASHED: {
    class: 'unavailable',
    message: "The process of the HSM's module ended while it worked on this.",
    next: 'List the keys before you repeat a change: it may have happened. A new process starts with the next request.',
  },
  KEYS_HSM_TIMEOUT: {
    class: 'unavailable',
    message: 'The module did not answer in time, and its process was ended.',
    next: 'Check the connection to the device; a new process starts with the next request.',
  },
  KEYS_HSM_BUSY: {
    class: 'limit',
    message: 'Too many requests wait for the token.',
    next: 'Ask less at once, or use a faster device; see `fastness keys doctor` for what it can do.',
  },
  KEYS_HSM_PROTOCOL: {
    class: 'internal',
    message: "The process of the HSM's module said something that was not asked for.",
    next: 'Report this; until then, treat the module as damaged.',
  },
} as const satisfies Record<string, ErrorFacts>);
