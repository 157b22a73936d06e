import type { CurveName, SignatureAlgorithm } from '@fastness/codec/x509';

/** A signature algorithm of JWS and the only kind of key that goes with it. */
export interface JwsAlgorithm {
  readonly key: 'RSA' | 'EC' | 'Ed25519';
  /** The one curve; ECDSA only. */
  readonly curve?: CurveName;
  readonly signature: SignatureAlgorithm;
}

/**
 * The algorithms that are read (RFC 7518, section 3.1; RFC 8037; RFC 9864): public keys only, so that no public key can be
 * mistaken for a shared secret, and never `none`.
 */
export const jwsAlgorithms = Object.freeze({
  RS256: { key: 'RSA', signature: { kind: 'rsa-pkcs1', hash: 'SHA-256' } },
  PS256: { key: 'RSA', signature: { kind: 'rsa-pss', hash: 'SHA-256', saltLength: 32 } },
  PS384: { key: 'RSA', signature: { kind: 'rsa-pss', hash: 'SHA-384', saltLength: 48 } },
  ES256: { key: 'EC', curve: 'P-256', signature: { kind: 'ecdsa', hash: 'SHA-256' } },
  ES384: { key: 'EC', curve: 'P-384', signature: { kind: 'ecdsa', hash: 'SHA-384' } },
  EdDSA: { key: 'Ed25519', signature: { kind: 'ed25519' } },
  Ed25519: { key: 'Ed25519', signature: { kind: 'ed25519' } },
} as const satisfies Record<string, JwsAlgorithm>);

export type JwsAlgorithmName = keyof typeof jwsAlgorithms;
