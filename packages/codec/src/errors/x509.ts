import type { ErrorFacts } from './class.ts';

/** Codes of the X.509 certificate and CRL readers, and of the checks between two certificates. */
export const x509Errors = Object.freeze({
  X509_VERSION: {
    class: 'not-mine',
    message: 'The certificate or CRL is of a version this reader does not read.',
    next: 'Use an X.509 version 3 certificate or a version 2 CRL.',
  },
  X509_SERIAL: {
    class: 'invalid',
    message: 'The serial number is negative or longer than 20 bytes.',
    next: 'Ask the issuer for a certificate that follows RFC 5280, section 4.1.2.2.',
  },
  X509_ALGORITHM: {
    class: 'not-mine',
    message: 'The signature algorithm or its parameters are outside the list this reader accepts.',
    next: 'See the docstring of the reader; SHA-1, MD5 and unusual RSA-PSS parameters are refused on purpose.',
  },
  X509_ALGORITHM_MISMATCH: {
    class: 'invalid',
    message: 'The signed and the unsigned signature algorithm differ.',
    next: 'Treat the certificate as tampered with and fetch it again from its issuer.',
  },
  X509_KEY: {
    class: 'invalid',
    message: 'The public key is malformed, too weak or not usable with the signature algorithm.',
    next: 'Use an RSA key of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519.',
  },
  X509_DUPLICATE_EXTENSION: {
    class: 'invalid',
    message: 'An extension occurs twice.',
    next: 'Treat the certificate as forged; RFC 5280 allows one instance of each extension.',
  },
  X509_EXTENSION: {
    class: 'invalid',
    message: 'An extension does not follow its format.',
    next: 'Ask the issuer for a correct certificate.',
  },
  X509_CRITICAL_EXTENSION: {
    class: 'not-mine',
    message: 'A critical extension is not understood here.',
    next: 'Use a certificate or CRL without it; guessing its meaning would be unsafe.',
  },
  X509_ISSUER_NAME: {
    class: 'invalid',
    message: 'The issuer name is not the subject name of the certificate that should have issued it.',
    next: 'Check the order of the chain and that all of its certificates belong together.',
  },
  X509_NOT_CA: {
    class: 'invalid',
    message: 'The issuing certificate is not a certification authority.',
    next: 'Treat the chain as forged: an end-entity certificate cannot issue.',
  },
  X509_PATH_LENGTH: {
    class: 'invalid',
    message: 'The chain is longer than an authority in it permits.',
    next: 'Treat the chain as forged: an intermediate issued an authority it may not issue.',
  },
  X509_KEY_USAGE: {
    class: 'invalid',
    message: 'The issuing certificate may not sign this kind of object.',
    next: 'Use the certificate whose key usage covers it (keyCertSign for certificates, cRLSign for CRLs).',
  },
  X509_SIGNATURE: {
    class: 'invalid',
    message: 'The signature of the certificate or CRL does not verify.',
    next: 'Treat it as forged: the named issuer did not sign these bytes.',
  },
  X509_NOT_YET_VALID: {
    class: 'invalid',
    message: 'The certificate is not valid yet.',
    next: 'Check the clock of this machine, then the dates of the certificate.',
  },
  X509_EXPIRED: {
    class: 'invalid',
    message: 'The certificate has expired.',
    next: 'Fetch a current certificate from its issuer.',
  },
  X509_CRL_NOT_YET_VALID: {
    class: 'invalid',
    message: 'The revocation list is dated in the future.',
    next: 'Check the clock of this machine, then the source of the list.',
  },
  X509_CRL_STALE: {
    class: 'invalid',
    message: 'The revocation list is past its next update.',
    next: 'Fetch the current list from the vendor; an old list hides new revocations.',
  },
  X509_CRL_NO_NEXT_UPDATE: {
    class: 'invalid',
    message: 'The revocation list states no next update, so its age cannot be judged.',
    next: 'Fetch a list that states one, as RFC 5280 requires.',
  },
  X509_REVOKED: {
    class: 'denied',
    message: 'The certificate has been revoked by its issuer.',
    next: 'Stop trusting this key; obtain a new certificate from the vendor.',
  },
} as const satisfies Record<string, ErrorFacts>);
