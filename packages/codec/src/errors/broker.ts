import type { ErrorFacts } from './class.ts';

/** Codes of the key broker (`BROKER_`) and of its audit log (`AUDIT_`). */
export const brokerErrors = Object.freeze({
  BROKER_REQUEST_INVALID: {
    class: 'usage',
    message: 'The request does not follow the schema of this route.',
    next: 'Compare the request with the route in the broker documentation; the detail names the first field that differs.',
  },
  BROKER_ROUTE_UNKNOWN: {
    class: 'usage',
    message: 'The broker has no such route.',
    next: 'Check the path and the broker address; the routes are listed in the broker documentation.',
  },
  BROKER_METHOD_NOT_ALLOWED: {
    class: 'usage',
    message: 'The route does not take this method.',
    next: 'Use a method that the Allow header of the response names.',
  },
  BROKER_MEDIA_TYPE: {
    class: 'not-mine',
    message: 'The request body is not plain application/json.',
    next: 'Send application/json without a content encoding.',
  },
  BROKER_BODY_LIMIT: {
    class: 'limit',
    message: 'The request body is larger than this route accepts.',
    next: 'Send a smaller body, or raise the body limit in the broker configuration.',
  },
  BROKER_HEADER_LIMIT: {
    class: 'limit',
    message: 'The request headers are larger than the broker accepts.',
    next: 'Send fewer or shorter headers.',
  },
  BROKER_REQUEST_TIMEOUT: {
    class: 'limit',
    message: 'The request did not arrive within the time allowed.',
    next: 'Send the whole request promptly; check the network between this client and the broker.',
  },
  BROKER_RATE_LIMIT: {
    class: 'limit',
    message: 'Too many requests.',
    next: 'Wait for the time in the Retry-After header, then try again.',
  },

  BROKER_ADMIN_UNAUTHORIZED: {
    class: 'unauthorized',
    message: 'The credential of an administrator is missing or wrong.',
    next: 'Send the token whose SHA-256 the broker configuration names as "Authorization: Bearer TOKEN", or, where the configuration has administrators, an access token or a client certificate.',
  },
  BROKER_ADMIN_CERTIFICATE: {
    class: 'unauthorized',
    message: 'The client certificate does not count.',
    next: 'The detail names what is wrong with it. It must be issued by one of the configured authorities itself, for TLS clients, be in time and not be revoked.',
  },
  BROKER_ADMIN_ACCESS_TOKEN: {
    class: 'unauthorized',
    message: 'The access token does not count.',
    next: 'The detail names the claim or the code. Get a new token for the audience of this broker, and compare issuer, audience, algorithms and token type with the broker configuration.',
  },
  BROKER_ADMIN_IDENTITY_UNKNOWN: {
    class: 'denied',
    message: 'The credential is genuine, and the broker configuration gives it no role.',
    next: 'Add the key, name or claim to the identities of administrators in the broker configuration, or use another credential.',
  },
  BROKER_ADMIN_FORBIDDEN: {
    class: 'denied',
    message: 'The roles of this administrator do not allow it.',
    next: 'Ask somebody with one of the roles that the detail names; `GET /v1/admin/identity` says which roles you have.',
  },
  BROKER_ADMIN_ISSUER: {
    class: 'unavailable',
    message: "The keys of the access tokens' issuer could not be had.",
    next: 'Try again in half a minute; check jwksUri and authorityPath in the broker configuration, and that the broker reaches the issuer.',
  },
  BROKER_ADMIN_REVOCATION_LIST: {
    class: 'unavailable',
    message: 'There is no current revocation list for the client certificate.',
    next: 'Put a current list of every authority at revocationListPath; the broker reads the file again when it changes.',
  },
  BROKER_ADMIN_TRANSPORT: {
    class: 'denied',
    message: 'Administrator routes answer over TLS or on the loopback interface only.',
    next: 'Give the broker a TLS certificate, or call it from its own machine. Replace the token if it crossed a network in clear.',
  },

  BROKER_RULES_CHANGED: {
    class: 'unavailable',
    message: 'The policy or the quorum was changed while the request was decided, and nothing was done.',
    next: 'Try again; what needs evidence, with a new challenge.',
  },
  BROKER_NONCE_UNKNOWN: {
    class: 'invalid',
    message: 'The broker did not issue this nonce.',
    next: 'Ask this broker for a challenge, and collect evidence over that nonce.',
  },
  BROKER_NONCE_EXPIRED: {
    class: 'invalid',
    message: 'The challenge has expired.',
    next: 'Ask for a new challenge and answer it within its lifetime.',
  },
  BROKER_NONCE_REUSED: {
    class: 'invalid',
    message: 'The challenge was already used.',
    next: 'Ask for a new challenge for every request; if this client did not use it, somebody replayed its request.',
  },

  BROKER_RELEASE_UNKNOWN: {
    class: 'denied',
    message: 'This release is not registered with the broker.',
    next: 'Register the signed and approved release with the broker, then start the enclave again.',
  },
  BROKER_RELEASE_REVOKED: {
    class: 'denied',
    message: 'The release was revoked.',
    next: 'Deploy a release that is not revoked; the audit log holds the reason.',
  },
  BROKER_RELEASE_OTHER_BROKER: {
    class: 'denied',
    message: 'The release names another broker key.',
    next: 'Sign a release whose brokerKey, or the key of one of whose brokers, is the public key of this broker.',
  },
  BROKER_RELEASE_OTHER_LOG: {
    class: 'denied',
    message: 'The release names another transparency log.',
    next: 'Sign a release whose logKey, or one of whose logKeys, is the log key of this broker, which it prints when it starts.',
  },
  BROKER_RELEASE_VERSION_TAKEN: {
    class: 'conflict',
    message: 'Another release of this model already has this version.',
    next: 'Sign the release again with a higher version.',
  },
  BROKER_VERSION_ROLLBACK: {
    class: 'denied',
    message: 'A newer version of the model supersedes this release.',
    next: 'Deploy the newest release of the model; to go back, sign the older content again as a new version.',
  },
  BROKER_MODEL_NOT_ALLOWED: {
    class: 'denied',
    message: 'The broker policy does not name this model, or asks for a higher version.',
    next: 'Add the model to the broker policy, or deploy a version that the policy allows.',
  },
  BROKER_WRAPPED_KEY_UNUSABLE: {
    class: 'invalid',
    message: 'The wrapped key does not open for this release in the key store of the broker.',
    next: 'Register the keys.json that belongs to the release, wrapped under a key that this broker holds.',
  },
  BROKER_TEE_NOT_IN_RELEASE: {
    class: 'denied',
    message: 'The release lists no measurement for this kind of evidence.',
    next: 'Sign a release that lists the measurement of this kind of TEE; simulated and genuine measurements are listed apart.',
  },
  BROKER_MEASUREMENT_REVOKED: {
    class: 'denied',
    message: 'The measurement of this enclave was revoked.',
    next: 'Deploy an enclave image whose measurement is not revoked; the audit log holds the reason.',
  },
  BROKER_PLATFORM_REVOKED: {
    class: 'denied',
    message: 'The platform identity of this machine was revoked.',
    next: 'Move the enclave to another machine; the audit log holds the reason.',
  },

  BROKER_LEASE_UNKNOWN: {
    class: 'denied',
    message: 'The broker has no such lease.',
    next: 'Attest without a lease id to get the key and a new lease.',
  },
  BROKER_LEASE_EXPIRED: {
    class: 'denied',
    message: 'The lease has expired.',
    next: 'Stop serving, then attest without a lease id to get the key and a new lease.',
  },
  BROKER_LEASE_RELEASE: {
    class: 'denied',
    message: 'The lease belongs to another release.',
    next: 'Renew with the release that the lease was issued for, or attest without a lease id.',
  },
  BROKER_LEASE_KEY_CONFIG: {
    class: 'denied',
    message: 'The lease belongs to another key configuration.',
    next: 'An enclave that made new keys attests without a lease id; if it made none, somebody else tried to renew its lease.',
  },
  BROKER_LEASE_PLATFORM: {
    class: 'denied',
    message: 'The lease belongs to another platform or measurement.',
    next: 'An enclave that moved attests without a lease id; if it did not move, somebody else tried to renew its lease.',
  },

  BROKER_WITNESSES_UNAVAILABLE: {
    class: 'unavailable',
    message: 'Too few witnesses cosigned the log for this model, so no key and no lease is given.',
    next: 'Look at the witnesses that the detail names and at fastness_witness_answers_total, then try again.',
  },
  BROKER_KEY_STORE: {
    class: 'unavailable',
    message: 'The key store of the broker did not do its part.',
    next: 'Look at the key store of the broker and at its log, then try again.',
  },
  BROKER_STORE: {
    class: 'unavailable',
    message: 'The database of the broker did not do its part.',
    next: 'Look at the disk and the database of the broker, then try again.',
  },
  BROKER_STORE_DAMAGED: {
    class: 'conflict',
    message: 'The database of the broker is damaged or is no broker database.',
    next: 'Restore the database from a backup that is not older than the audit log, and start again.',
  },
  BROKER_STORE_NEWER: {
    class: 'conflict',
    message: 'A newer version of the broker wrote this database.',
    next: 'Start the version that wrote it, or a later one.',
  },
  BROKER_LOCKED: {
    class: 'conflict',
    message: 'Another process uses this database or audit log.',
    next: 'Stop the other broker, or give this one its own database and audit log.',
  },
  BROKER_CONFIG_INVALID: {
    class: 'usage',
    message: 'The broker configuration does not follow its schema.',
    next: 'Correct the field that the detail names.',
  },
  BROKER_SIGNER_UNSUITABLE: {
    class: 'usage',
    message: 'The signing key of the broker is not an Ed25519 key.',
    next: 'Create an Ed25519 signing key in the key store and name it in the configuration.',
  },
  BROKER_LISTEN: {
    class: 'unavailable',
    message: 'The broker could not listen on its address.',
    next: 'Choose a free port and an address of this machine.',
  },
  BROKER_INTERNAL: {
    class: 'internal',
    message: 'The broker failed in a way it did not foresee.',
    next: 'Report this with the time of the request; the log of the broker holds the cause.',
  },

  AUDIT_CHAIN_BROKEN: {
    class: 'invalid',
    message: 'The audit log was altered, cut or replaced.',
    next: 'Keep this file as evidence and find out who changed it; restore a copy whose chain is whole before the broker may start.',
  },
  AUDIT_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The audit log cannot be written, so nothing that needs an entry is done.',
    next: 'Free or repair the disk of the audit log, then restart the broker.',
  },
  AUDIT_FACTS_REFUSED: {
    class: 'internal',
    message: 'An audit entry carried facts outside its schema and was not written.',
    next: 'Report this; entries hold only the facts that their schema names.',
  },
} as const satisfies Record<string, ErrorFacts>);
