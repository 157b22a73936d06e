import type { ErrorFacts } from './class.ts';

/** Codes of `keys`. */
export const keysErrors = Object.freeze({
  KEYS_FILE_NOT_FOUND: {
    class: 'usage',
    message: 'There is no file at this path.',
    next: 'Check the path, or create a key store there first.',
  },
  KEYS_FILE_EXISTS: {
    class: 'conflict',
    message: 'A file already exists where the key store would be created.',
    next: 'Open the existing store, or choose another path; a key store is never overwritten.',
  },
  KEYS_PERMISSIONS: {
    class: 'denied',
    message: 'The file could be read or written by others, or is not a plain file of this user.',
    next: 'Make it a regular file owned by this user with mode 0600 (chmod 600), and check who had access so far.',
  },
  KEYS_NOT_A_STORE: {
    class: 'not-mine',
    message: 'The file is not a Fastness software key store.',
    next: 'Check the path; a store begins with the bytes of its format name.',
  },
  KEYS_FORMAT_VERSION: {
    class: 'not-mine',
    message: 'The key store is of a format version that this release does not know.',
    next: 'Open it with the release of Fastness that wrote it, or a newer one.',
  },
  KEYS_FILE_DAMAGED: {
    class: 'invalid',
    message: 'The structure of the key store file is damaged.',
    next: 'Restore the file from a backup.',
  },
  KEYS_KDF_BOUNDS: {
    class: 'invalid',
    message: 'The key store names passphrase hashing costs outside the accepted range.',
    next: 'Restore the file from a backup; if you chose these costs yourself, choose them within the range.',
  },
  KEYS_UNLOCK: {
    class: 'unauthorized',
    message: 'The key store does not open: the passphrase is wrong, or the file was altered.',
    next: 'Check the passphrase first; if it is certainly right, restore the file from a backup.',
  },
  KEYS_ROLLBACK: {
    class: 'invalid',
    message: 'The key store file is older than the one this process already saw.',
    next: 'Find out who put an older copy in place; reopen the store only when the copy is the one you want.',
  },
  KEYS_REKEYED: {
    class: 'conflict',
    message: 'Another process replaced the key store or changed its passphrase.',
    next: 'Close this store and open it again.',
  },
  KEYS_LOCKED: {
    class: 'unavailable',
    message: 'Another process is writing the key store.',
    next: 'Try again; the lock is released when that process finishes or ends.',
  },
  KEYS_IO: {
    class: 'unavailable',
    message: 'The key store file could not be read or written.',
    next: 'Check the disk and the permissions of its folder; nothing was changed.',
  },
  KEYS_CLOSED: {
    class: 'usage',
    message: 'The key store was already closed.',
    next: 'Open it again; a closed store has wiped its keys.',
  },
  KEYS_PASSPHRASE: {
    class: 'usage',
    message: 'The passphrase is too short or too long.',
    next: 'Use 8 to 1024 bytes, best from a password manager or `openssl rand -base64 24`.',
  },
  KEYS_ID_INVALID: {
    class: 'usage',
    message: 'The key id is not well formed.',
    next: 'Use 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit.',
  },
  KEYS_ID_EXISTS: {
    class: 'conflict',
    message: 'A key with this id already exists.',
    next: 'Choose another id, or rotate the key to give it a new version.',
  },
  KEYS_ID_UNKNOWN: {
    class: 'not-mine',
    message: 'This key store has no key with this id.',
    next: 'List the keys of the store; perhaps another store holds this one.',
  },
  KEYS_VERSION_UNKNOWN: {
    class: 'not-mine',
    message: 'This key store does not hold that version of the key.',
    next: 'The version was retired or belongs to another store; restore it from a backup, or wrap anew.',
  },
  KEYS_PURPOSE: {
    class: 'denied',
    message: 'The key was made for another purpose.',
    next: 'Use a key of the right purpose; one key never both wraps and signs.',
  },
  KEYS_ALGORITHM: {
    class: 'usage',
    message: 'This purpose has no such algorithm.',
    next: 'Wrap with AES-256-GCM; sign with P-256, P-384 or Ed25519.',
  },
  KEYS_SIZE: {
    class: 'usage',
    message: 'The input is empty or larger than the key store accepts.',
    next: 'Wrap keys of 1 to 4096 bytes under a context of 1 to 4096 bytes; encrypt bulk data under a wrapped key.',
  },
  KEYS_FULL: {
    class: 'limit',
    message: 'The key store holds as many keys or versions as it can.',
    next: 'Retire versions that are no longer needed, or use a second store.',
  },
  KEYS_WRAPPED_MALFORMED: {
    class: 'invalid',
    message: 'The wrapped key is not well formed.',
    next: 'Check where it came from; it was damaged on the way.',
  },
  KEYS_WRAPPED_ALGORITHM: {
    class: 'not-mine',
    message: 'The wrapped key uses an algorithm that this key store does not know.',
    next: 'Unwrap it with the key store that wrapped it.',
  },
  KEYS_UNWRAP: {
    class: 'invalid',
    message: 'The wrapped key does not open: it was altered, or belongs to another key or context.',
    next: 'Check that the key store and the model are the ones it was wrapped for.',
  },
} as const satisfies Record<string, ErrorFacts>);
