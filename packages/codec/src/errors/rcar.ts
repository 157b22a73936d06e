import type { ErrorFacts } from './class.ts';

/** Codes of the broker's Trustee-compatible endpoints (`/kbs/v0`). */
export const rcarErrors = Object.freeze({
  RCAR_VERSION_UNSUPPORTED: {
    class: 'usage',
    message: 'The broker does not speak this version of the KBS protocol.',
    next: 'Use guest components that speak the version in the detail.',
  },
  RCAR_TEE_UNKNOWN: {
    class: 'usage',
    message: 'The request names no TEE of the KBS protocol.',
    next: 'Name the TEE as the KBS protocol does, for example snp or tdx.',
  },
  RCAR_TEE_UNSUPPORTED: {
    class: 'denied',
    message: 'The broker does not take evidence of this TEE over the KBS protocol.',
    next: 'Run the guest on SEV-SNP or TDX, or use the routes of Fastness itself.',
  },
  RCAR_SAMPLE_REFUSED: {
    class: 'denied',
    message: 'The sample TEE proves nothing and gets nothing.',
    next: 'Run the guest on a TEE; check that its attestation agent found the one it runs on.',
  },
  RCAR_SESSION_MISSING: {
    class: 'unauthorized',
    message: 'The request carries no session cookie, or several.',
    next: 'Send the kbs-session-id cookie that the auth request was answered with.',
  },
  RCAR_SESSION_UNKNOWN: {
    class: 'unauthorized',
    message: 'The broker has no such session.',
    next: 'Begin again with an auth request; a session belongs to one broker, ends when its evidence is refused, and is lost at a restart.',
  },
  RCAR_SESSION_EXPIRED: {
    class: 'unauthorized',
    message: 'The session has expired.',
    next: 'Begin again with an auth request.',
  },
  RCAR_SESSION_BUSY: {
    class: 'conflict',
    message: 'Evidence of this session is being verified already.',
    next: 'Send one attest request for each session and wait for its answer.',
  },
  RCAR_SESSION_NOT_ATTESTED: {
    class: 'unauthorized',
    message: 'The session was not attested.',
    next: 'Send an attest request first.',
  },
  RCAR_NONCE_MISMATCH: {
    class: 'invalid',
    message: 'The nonce is not the one of the session.',
    next: 'Send the nonce that the auth request was answered with.',
  },
  RCAR_KEY_UNSUPPORTED: {
    class: 'usage',
    message: 'The broker does not encrypt to keys of this kind.',
    next: 'Use EC keys on P-256 or P-521 with ECDH-ES+A256KW, or RSA keys with RSA-OAEP-256.',
  },
  RCAR_KEY_INVALID: {
    class: 'invalid',
    message: 'The public key of the guest is not a valid one.',
    next: 'Send a point on the curve, or an RSA modulus of 2048 to 4096 bits with the exponent 65537.',
  },
  RCAR_EVIDENCE_MALFORMED: {
    class: 'invalid',
    message: 'The evidence does not have the form that guest components give it.',
    next: 'Use guest components of 2025 or later; the detail names the first member that differs.',
  },
  RCAR_ADDITIONAL_EVIDENCE_UNSUPPORTED: {
    class: 'denied',
    message: 'The broker does not take evidence of devices over the KBS protocol.',
    next: 'Switch the additional attesters of the guest off, or use the routes of Fastness itself.',
  },
  RCAR_INIT_DATA_INVALID: {
    class: 'usage',
    message: 'The init data does not name one of its hash algorithms.',
    next: 'Send init data in TOML whose algorithm is sha256, sha384 or sha512.',
  },
  RCAR_INIT_DATA_MISMATCH: {
    class: 'denied',
    message: 'The evidence is not bound to this init data.',
    next: 'Start the guest with the digest of its init data as host data (SEV-SNP) or MRCONFIGID (TDX).',
  },
  RCAR_NOTHING_REGISTERED: {
    class: 'denied',
    message: 'No resource is registered for guests of this TEE.',
    next: 'Register a resource with the measurement of the guest.',
  },
  RCAR_TOKEN_MISSING: {
    class: 'unauthorized',
    message: 'The request carries neither a token nor a session.',
    next: 'Attest first, then send the session cookie or the token as a bearer token.',
  },
  RCAR_TOKEN_INVALID: {
    class: 'unauthorized',
    message: 'The token is not an attestation token of this broker.',
    next: 'Attest with this broker; tokens of other issuers are not taken.',
  },
  RCAR_TOKEN_EXPIRED: {
    class: 'unauthorized',
    message: 'The attestation token has expired.',
    next: 'Attest again.',
  },
  RCAR_TOKEN_POLICY_CHANGED: {
    class: 'unauthorized',
    message: 'The policy of the broker changed after the token was issued.',
    next: 'Attest again, under the policy of today.',
  },
  RCAR_PATH_INVALID: {
    class: 'usage',
    message: 'The path names no resource.',
    next: 'Ask for /kbs/v0/resource/REPOSITORY/TYPE/TAG; each part has 1 to 64 letters, digits, dots, dashes and underscores.',
  },
  RCAR_RESOURCE_UNKNOWN: {
    class: 'denied',
    message: 'No such resource is registered.',
    next: 'Register the resource with the broker.',
  },
  RCAR_RESOURCE_DENIED: {
    class: 'denied',
    message: 'The resource is not registered for this guest.',
    next: 'Register the resource with the measurement of the guest, if the guest is to have it.',
  },
  RCAR_RESOURCE_UNUSABLE: {
    class: 'invalid',
    message: 'The resource does not open in the key store of the broker.',
    next: 'Register the resource again; if nobody changed the key store, find out who changed the database.',
  },
} as const satisfies Record<string, ErrorFacts>);
