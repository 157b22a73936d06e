import type { ErrorFacts } from './class.ts';

/** Codes of `keys` for the key services of clouds, of CMS messages that they send, and of secure key release. */
export const keysCloudErrors = Object.freeze({
  KEYS_URI: {
    class: 'usage',
    message: 'The address of the key store is not one that can be opened.',
    next: 'Write pkcs11:..., aws-kms:REGION, azure-key-vault:https://NAME.vault.azure.net or google-kms:projects/P/locations/L/keyRings/R (see docs/keys-cloud.md).',
  },
  KEYS_CLOUD_CREDENTIALS: {
    class: 'unauthorized',
    message: 'The key service does not accept the credentials, or there are none.',
    next: 'Give this process a role, a workload identity or fresh credentials, and check the clock of this machine.',
  },
  KEYS_CLOUD_CHALLENGE: {
    class: 'denied',
    message: 'The key service asks for a token that is meant for somebody else.',
    next: 'Check the address of the vault; no token was sent. Whoever answers there may not be the vault.',
  },
  KEYS_CLOUD_DENIED: {
    class: 'denied',
    message: 'The key service knows who asks and refuses.',
    next: "Look at the key's policy and the role of this process; grant only the operation that is missing.",
  },
  KEYS_CLOUD_ATTESTATION: {
    class: 'denied',
    message: 'The key service does not accept the attestation, or the key is not for what it attests.',
    next: "Compare the measurements with the key's policy, and make the attestation anew: services take only fresh ones.",
  },
  KEYS_CLOUD_THROTTLED: {
    class: 'limit',
    message: 'The key service answers no more requests for now.',
    next: 'Ask less often, or have the quota raised; it was tried several times with growing pauses.',
  },
  KEYS_CLOUD_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The key service could not be reached, or failed.',
    next: "Check the network and the provider's status page, then try again.",
  },
  KEYS_CLOUD_TIMEOUT: {
    class: 'unavailable',
    message: 'The key service did not answer in time.',
    next: 'List the keys before you repeat a change: it may have happened. Otherwise try again.',
  },
  KEYS_CLOUD_ABORTED: {
    class: 'unavailable',
    message: 'The request was ended before the key service had answered.',
    next: 'The store was closed or its signal aborted; list the keys before you repeat a change.',
  },
  KEYS_CLOUD_PENDING_DELETION: {
    class: 'denied',
    message: 'The key is waiting to be destroyed.',
    next: "Cancel the deletion with the provider's tools if the key is needed; after the delay it is gone for good.",
  },
  KEYS_CLOUD_NOT_FOUND: {
    class: 'not-mine',
    message: 'The key service does not have the key, or not what it is kept in.',
    next: 'Check region, vault or key ring, and whether the key was deleted.',
  },
  KEYS_CLOUD_USAGE: {
    class: 'denied',
    message: 'The key of the service is of a kind that this store does not use.',
    next: 'Create keys with this store; an imported key, or one for several jobs, is not as well kept as it says.',
  },
  KEYS_CLOUD_CONFLICT: {
    class: 'conflict',
    message: 'Something of this name is there already, or another process is changing the key.',
    next: 'List the keys; try again if the change is not there.',
  },
  KEYS_CLOUD_INTEGRITY: {
    class: 'invalid',
    message: 'What the key service answered does not match its checksum, its signature or what was sent.',
    next: 'Try again; if it goes on, find out what sits between this machine and the service.',
  },
  KEYS_CLOUD_WRONG_KEY: {
    class: 'invalid',
    message: 'The key service answered for another key than the one that was asked.',
    next: 'Do not use the answer. Find out what sits between this machine and the service.',
  },
  KEYS_CLOUD_PROTOCOL: {
    class: 'invalid',
    message: 'The answer of the key service is not of the form it should have.',
    next: 'Check that the address is that of the service and not of something in between.',
  },
  KEYS_CLOUD_FAILED: {
    class: 'unavailable',
    message: 'The key service refused the request in a way that is not known here.',
    next: "Look the error's name up in the provider's documentation, and in its log of requests.",
  },
  KEYS_CLOUD_UNSUPPORTED: {
    class: 'usage',
    message: 'This key service cannot do that.',
    next: 'See docs/keys-cloud.md for what each service can do, and choose another algorithm or another store.',
  },
  KEYS_RELEASE_TOKEN: {
    class: 'invalid',
    message: 'The answer of the secure key release is not authentic or not well formed.',
    next: 'Check which certificate authority is pinned, and that the answer comes from the vault that was asked.',
  },
  KEYS_RELEASE_REPLAY: {
    class: 'invalid',
    message: 'The released key was released for another request, or is another key.',
    next: 'Ask again with a new nonce; do not use this answer.',
  },
  KEYS_RELEASE_OPEN: {
    class: 'invalid',
    message: 'The released key does not open with this private key.',
    next: 'Use the key pair whose public half is in the attestation that was sent.',
  },
  CMS_MALFORMED: {
    class: 'invalid',
    message: 'The CMS message is not well formed.',
    next: 'Check where it came from; it was damaged or made by something else.',
  },
  CMS_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The CMS message is of a form or uses an algorithm that is not read here.',
    next: 'Ask for RSAES-OAEP with SHA-256 and one recipient; content is AES-256-CBC.',
  },
  CMS_OPEN: {
    class: 'invalid',
    message: 'The CMS message does not open with this private key.',
    next: 'Use the key pair whose public half was attested, and ask the service anew.',
  },
  RELEASE_POLICY_MALFORMED: {
    class: 'invalid',
    message: 'The release policy is not well formed.',
    next: 'Compare it with the grammar in docs/keys-cloud.md; the detail names the place.',
  },
  RELEASE_POLICY_OPERATOR: {
    class: 'invalid',
    message: 'The release policy uses an operator that is not known.',
    next: 'Use equals, notEquals, less, lessOrEquals, greater, greaterOrEquals or exists.',
  },
  RELEASE_POLICY_UNMET: {
    class: 'denied',
    message: 'The claims do not satisfy the release policy.',
    next: 'The detail says for each alternative which condition failed first; change the policy only knowingly.',
  },
} as const satisfies Record<string, ErrorFacts>);
