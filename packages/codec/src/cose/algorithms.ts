import { FastnessError } from '../errors/index.ts';

/** How WebCrypto verifies one COSE algorithm. Signatures are raw: r || s, or the 64 bytes of Ed25519. */
export interface CoseAlgorithm {
  readonly name: string;
  readonly key: EcKeyImportParams | Algorithm;
  readonly verify: EcdsaParams | Algorithm;
  readonly signatureBytes: number;
}

/**
 * The COSE signature algorithms read here, by their number in the IANA registry: Ed25519 (RFC 9864), ES256, ES384 and ES512
 * (RFC 9053). The polymorphic EdDSA (-8) is left out: it does not name its curve.
 */
export const coseAlgorithms: ReadonlyMap<number, CoseAlgorithm> = new Map<number, CoseAlgorithm>([
  [-19, { name: 'Ed25519', key: { name: 'Ed25519' }, verify: { name: 'Ed25519' }, signatureBytes: 64 }],
  [-7, es('ES256', 'P-256', 'SHA-256', 64)],
  [-35, es('ES384', 'P-384', 'SHA-384', 96)],
  [-36, es('ES512', 'P-521', 'SHA-512', 132)],
]);

function es(name: string, namedCurve: string, hash: string, signatureBytes: number): CoseAlgorithm {
  const verify: EcdsaParams = { name: 'ECDSA', hash };
  const key: EcKeyImportParams = { name: 'ECDSA', namedCurve };
  return { name, key, verify, signatureBytes };
}

/** @throws COSE_ALGORITHM for a number outside the table */
export function coseAlgorithm(number: number): CoseAlgorithm {
  const algorithm = coseAlgorithms.get(number);
  if (algorithm === undefined) throw new FastnessError('COSE_ALGORITHM', `Algorithm ${number}.`);
  return algorithm;
}
