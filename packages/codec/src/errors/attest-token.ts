import type { ErrorFacts } from './class.ts';

const distrust = 'Do not trust this token: another issuer, or nobody, vouches for it.';
const reissue = 'Ask the attestation service for a new token over your own nonce.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of tokens of attestation services, in the order in which the checks run. */
export const tokenErrors = Object.freeze({
  TOKEN_DETACHED: invalid('The evidence is not a detached bundle of one token and those of its devices.', reissue),
  TOKEN_ISSUER_NOT_ALLOWED: denied(
    'The token is from an issuer that the policy does not accept.',
    'Compare the issuer with the policy; staging services and strangers are refused.',
  ),
  TOKEN_KEY_UNKNOWN: {
    class: 'unavailable',
    message: 'No key with the key id of the token, and for its algorithm, came with it.',
    next: 'Send the current key set of the service along; if its keys have changed, pin the new ones.',
  },
  TOKEN_KEY_NOT_PINNED: invalid(
    'Neither the key that signed the token nor an authority above it is pinned.',
    'If the service changed its keys, verify the new ones out of band and pin them; otherwise do not trust the token.',
  ),
  TOKEN_CHAIN_NAMES: invalid('A certificate of the token was not issued by the next one.', distrust),
  TOKEN_CHAIN_EXTENSION: {
    class: 'not-mine',
    message: 'A certificate of the token has a critical extension that this verifier does not know.',
    next: 'Update Fastness; guessing what the extension means would be unsafe.',
  },
  TOKEN_LEAF_CONSTRAINTS: invalid('The certificate of the key may not sign tokens, or is an authority.', distrust),
  TOKEN_AUTHORITY_CONSTRAINTS: invalid('A certificate of the chain may not issue the one below it.', distrust),
  TOKEN_CHAIN_VALIDITY: invalid('A certificate of the token is not valid at this time.', reissue),
  TOKEN_CHAIN_SIGNATURE: invalid('A certificate of the token is not signed by its issuer.', distrust),
  TOKEN_CRL_MISSING: {
    class: 'unavailable',
    message: 'A certificate above the token names a revocation list, and none of its issuer came along.',
    next: 'Fetch the list that the certificate names and send it along; to accept the risk, waive TOKEN_CRL_MISSING by name.',
  },
  TOKEN_CRL_SIGNATURE: invalid('A revocation list is not signed by the authority that it names.', distrust),
  TOKEN_CRL_WINDOW: invalid(
    'A revocation list is not current, or does not say until when it is.',
    'Fetch the list again. Check the clock of this machine too.',
  ),
  TOKEN_CHAIN_REVOKED: invalid('A certificate above the token was revoked.', distrust),
  TOKEN_TIMES: invalid('The token does not say when it was issued and when it ends.', reissue),
  TOKEN_EXPIRED: invalid('The token has expired.', reissue),
  TOKEN_NOT_YET_VALID: invalid('The token is dated in the future.', 'Check the clock of this machine.'),
  TOKEN_LIFETIME: invalid('The token lives longer than the tokens of this service do.', reissue),
  TOKEN_NONCE_MISMATCH: denied('The token does not bind what this session expects.', reissue),
  TOKEN_AUDIENCE: denied(
    'The token is made for another audience.',
    'Ask for a token for an audience that the policy lists.',
  ),
  TOKEN_STALE: denied('The token is older than the policy allows.', reissue),
} as const satisfies Record<string, ErrorFacts>);
