import type { ErrorFacts } from './class.ts';

const reissue = 'Ask the attestation service for a new token; if it persists, the token is forged or was damaged.';
const distrust = 'Do not trust this token: whoever sent it tries to choose how it is verified.';
const refetch = 'Fetch the key set of the attestation service again.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;

/** Codes of signed tokens (JWS) and key sets (JWK), whoever issues them. */
export const jwsErrors = Object.freeze({
  JWS_SIZE: invalid('The token is larger than this reader accepts.', reissue),
  JWS_SHAPE: invalid('The token does not have the three parts of a signed token.', reissue),
  JWS_JSON: invalid('A part of the token or key set is not strict JSON, or names a member twice.', reissue),
  JWS_LIMIT: invalid('The JSON is larger or deeper than this reader accepts.', reissue),
  JWS_UNSIGNED: invalid('The token is not signed at all (algorithm "none").', distrust),
  JWS_ALGORITHM: invalid('The token is signed with an algorithm that its issuer does not use.', distrust),
  JWS_HEADER: invalid('The header says that the token is something else, or has a key id that is not text.', reissue),
  JWS_CRITICAL: {
    class: 'not-mine',
    message: 'The header demands an extension that this verifier does not know.',
    next: 'Update Fastness; guessing what the extension means would be unsafe.',
  },
  JWS_EMBEDDED_KEY: invalid('The header brings the key to verify it with (jwk or x5u).', distrust),
  JWS_X5C: invalid('The certificates of the token or key are missing, too many or not text.', reissue),
  JWS_KEY_MISMATCH: invalid('The key is not of the kind that the algorithm of the token needs.', distrust),
  JWS_SIGNATURE: invalid('The token is not signed by the key of its issuer.', distrust),
  JWK_MALFORMED: invalid('The key set does not follow its format.', refetch),
  JWK_PRIVATE: invalid(
    'The key set holds a private or a shared key.',
    'Treat the key as leaked: tell its owner, and use no token that it signed.',
  ),
  JWK_DUPLICATE: invalid('Two keys have the same key id.', refetch),
} as const satisfies Record<string, ErrorFacts>);
