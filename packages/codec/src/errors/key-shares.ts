import type { ErrorFacts } from './class.ts';

/** Codes of model keys that are shared between several brokers. */
export const keySharesErrors = Object.freeze({
  KEY_SHARES_THRESHOLD: {
    class: 'usage',
    message: 'A key cannot be shared in this way.',
    next: 'Share it between 2 to 16 brokers, and require at least 2 and at most all of them.',
  },
  KEY_SHARES_TOO_FEW: {
    class: 'usage',
    message: 'There are fewer shares than open the model.',
    next: 'Bring as many shares of one set as its threshold says.',
  },
  KEY_SHARE_MISMATCH: {
    class: 'invalid',
    message: 'A share of the key is not the one that was sealed for this model.',
    next: 'Look at the broker of the share that the detail names, and at what stands between it and the enclave.',
  },
  KEY_SHARES_ROOT_MISMATCH: {
    class: 'invalid',
    message: 'The shares are genuine and do not join to the key of this model.',
    next: 'Seal the model again; its manifest and its shares do not belong together.',
  },
  MODEL_KEY_SHARED: {
    class: 'conflict',
    message: 'The key of this model is shared between brokers, so there is no wrapped key of the whole.',
    next: 'Let each broker rotate the key that wraps its own share: fastness rotate --wrapping-key ID in its home.',
  },
  RELEASE_SHARES_MISMATCH: {
    class: 'invalid',
    message: 'The release and the manifest do not agree on how the key is shared.',
    next: 'Sign a release with the set, the threshold and one broker for each share of the manifest.',
  },
  BROKER_SHARE_NOT_MINE: {
    class: 'denied',
    message: 'What was registered is not the share that the release gives to this broker.',
    next: 'Register the share whose number the release lists beside the key of this broker.',
  },
  BROKER_SHARE_INTAKE: {
    class: 'conflict',
    message: 'This broker has no key that shares are delivered to.',
    next: 'Make one with fastness card in its home, start the broker again, and seal the model to the new card.',
  },
  BROKER_SHARE_UNREADABLE: {
    class: 'invalid',
    message: 'The share was not sealed to this broker, or not as a share of this model.',
    next: 'Seal the model to the card that this broker has now, and register the share that this makes.',
  },
  CARD_MALFORMED: {
    class: 'invalid',
    message: 'This is not the card of a broker.',
    next: 'Ask the operator of the broker for the file that fastness card wrote.',
  },
  CARD_SIGNATURE: {
    class: 'invalid',
    message: 'The card of a broker does not verify under the key that it names.',
    next: 'Ask the operator of the broker for its card again, and compare the fingerprint of its key by another way.',
  },
  ENCLAVE_SHARE_MISSING: {
    class: 'invalid',
    message: 'A broker answered without its share of the key.',
    next: 'Check that the address given for the share that the detail names is that of its broker.',
  },
  ENCLAVE_TOO_FEW_SHARES: {
    class: 'denied',
    message: 'So many brokers refused that the rest cannot open the model.',
    next: 'Look at each refusal that the detail names and correct it with the operator of that broker.',
  },
  ENCLAVE_TOO_FEW_LEASES: {
    class: 'unavailable',
    message: 'Fewer brokers than the model needs still let the enclave serve, so it stopped answering.',
    next: 'Look at the logs of the brokers: some are unreachable, or have revoked the release or the platform.',
  },
} as const satisfies Record<string, ErrorFacts>);
