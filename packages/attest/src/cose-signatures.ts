import { sign1ToBeSigned, type Sign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import {
  fieldBytes,
  verifyRawSignature,
  type CurveName,
  type KeyHolder,
  type SignatureAlgorithm,
  type SignatureVerifier,
} from '@fastness/codec/x509';

/** How signatures of one COSE algorithm are verified. */
export interface CoseSignature {
  readonly name: string;
  /** The curve that the key must be on: COSE ties it to the algorithm (RFC 9053, section 2.1). Absent: Ed25519. */
  readonly curve?: CurveName;
  readonly algorithm: SignatureAlgorithm;
}

/** By number (IANA COSE Algorithms): ES256, ES384, ES512 and Ed25519. */
export const coseSignatures: ReadonlyMap<number, CoseSignature> = new Map<number, CoseSignature>([
  [-7, { name: 'ES256', curve: 'P-256', algorithm: { kind: 'ecdsa', hash: 'SHA-256' } }],
  [-35, { name: 'ES384', curve: 'P-384', algorithm: { kind: 'ecdsa', hash: 'SHA-384' } }],
  [-36, { name: 'ES512', curve: 'P-521', algorithm: { kind: 'ecdsa', hash: 'SHA-512' } }],
  [-19, { name: 'Ed25519', algorithm: { kind: 'ed25519' } }],
]);

/** Whether a key can have made signatures of an algorithm. */
export function keyFits({ publicKey }: KeyHolder, { curve }: CoseSignature): boolean {
  return publicKey.algorithm === 'EC'
    ? publicKey.curve === curve
    : publicKey.algorithm === 'Ed25519' && curve === undefined;
}

/**
 * Whether a key made the signature of a message that carries its payload; the caller has checked that the key fits.
 * Throws X509_KEY when the key cannot be used, for instance because it is off its curve.
 */
export async function sign1Holds(
  { protectedBytes, payload, signature }: Sign1,
  holder: KeyHolder,
  { curve, algorithm }: CoseSignature,
  verifier: SignatureVerifier,
): Promise<boolean> {
  const bytes = curve === undefined ? 64 : 2 * fieldBytes[curve];
  if (payload === null || signature.length !== bytes) return false;
  const message = sign1ToBeSigned({ protectedBytes, payload });
  try {
    await verifyRawSignature({ holder, algorithm, signature, message }, verifier);
    return true;
  } catch (error) {
    if (error instanceof FastnessError && error.code === 'X509_SIGNATURE') return false;
    throw error;
  }
}
