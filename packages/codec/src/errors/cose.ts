import type { ErrorFacts } from './class.ts';

/** Codes of the COSE_Sign1 reader. */
export const coseErrors = Object.freeze({
  COSE_HEADER: {
    class: 'invalid',
    message: 'A COSE header breaks a rule of RFC 9052.',
    next: 'Ask the producer for a message with the algorithm in the protected header and no label in both headers.',
  },
  COSE_CRITICAL: {
    class: 'not-mine',
    message: 'A COSE header names a critical parameter that this reader does not know.',
    next: 'Use a reader that implements the parameters listed under "crit".',
  },
  COSE_ALGORITHM: {
    class: 'denied',
    message: 'The COSE signature algorithm is not one the caller allows.',
    next: 'Sign with an algorithm the verifier lists; it never follows the message.',
  },
  COSE_SIGNATURE: {
    class: 'invalid',
    message: 'The COSE signature does not verify.',
    next: 'Treat the message as forged: check the key, the payload and the external data it was signed over.',
  },
} as const satisfies Record<string, ErrorFacts>);
