import type { JwsAlgorithmName } from '../../jws/algorithms.ts';

/** Attestation services whose tokens are read. */
const tokenTees = Object.freeze([
  'azure-maa',
  'intel-trust-authority',
  'gcp-confidential-space',
  'nvidia-nras',
] as const);
export type TokenTee = (typeof tokenTees)[number];

/** In what the tokens of one service differ from those of the others, before anything is judged. */
export interface TokenService {
  readonly tee: TokenTee;
  /** For people. */
  readonly name: string;
  readonly evidenceType: string;
  /** Algorithms that the service signs with; no other is read. */
  readonly algorithms: readonly JwsAlgorithmName[];
  /** Longest life of a token, in seconds. A longer one was not made as the service documents. */
  readonly maxLifetimeSeconds: number;
}

/** One issuer that is accepted, and the keys that may speak for it. */
export interface IssuerPins {
  /** The exact `iss`. */
  readonly issuer: string;
  /** SHA-256 of the SubjectPublicKeyInfo of keys that may sign, hex. */
  readonly signingKeys?: readonly string[] | undefined;
  /** SHA-256 of the SubjectPublicKeyInfo of authorities that may certify such keys, hex. */
  readonly authorities?: readonly string[] | undefined;
}
