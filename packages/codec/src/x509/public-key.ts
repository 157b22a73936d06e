import { DerReader } from '../der/reader.ts';
import { FastnessError } from '../errors/index.ts';

export type CurveName = 'P-256' | 'P-384' | 'P-521';

/** What kind of key a SubjectPublicKeyInfo holds. `unknown` keys parse, so that a chain can be shown, but never verify. */
export type PublicKeyInfo =
  | { readonly algorithm: 'RSA'; readonly modulusBits: number }
  | { readonly algorithm: 'EC'; readonly curve: CurveName }
  | { readonly algorithm: 'Ed25519' }
  | { readonly algorithm: 'unknown'; readonly oid: string };

/** Bytes of a field element, and so of each half of a signature. */
export const fieldBytes: Readonly<Record<CurveName, number>> = Object.freeze({ 'P-256': 32, 'P-384': 48, 'P-521': 66 });

const curves: ReadonlyMap<string, CurveName> = new Map([
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
]);

const EC = '1.2.840.10045.2.1';
const RSA = '1.2.840.113549.1.1.1';
const ED25519 = '1.3.101.112';

/**
 * Reads a SubjectPublicKeyInfo: RSA under rsaEncryption (as AMD and Intel write it, also for keys that sign with
 * RSA-PSS), uncompressed points on P-256, P-384 and P-521, Ed25519. Whether a point lies on its curve is checked
 * when the key is imported.
 * @throws X509_KEY for a key of a known kind that breaks its format.
 */
export function readPublicKey(fields: DerReader): PublicKeyInfo {
  const algorithm = fields.sequence();
  const oid = algorithm.oid();
  if (oid === RSA) algorithm.null();
  else if (oid === EC) return readEcKey(fields, algorithm);
  else if (oid !== ED25519) return unknownKey(fields, oid);
  algorithm.end();
  const key = fields.bitString();
  fields.end();
  if (oid === RSA) return { algorithm: 'RSA', modulusBits: readModulusBits(key) };
  if (key.length !== 32) throw new FastnessError('X509_KEY', 'An Ed25519 key is 32 bytes.');
  return { algorithm: 'Ed25519' };
}

function readEcKey(fields: DerReader, algorithm: DerReader): PublicKeyInfo {
  const curveOid = algorithm.oid();
  algorithm.end();
  const curve = curves.get(curveOid);
  if (curve === undefined) return unknownKey(fields, curveOid);
  const point = fields.bitString();
  fields.end();
  if (point[0] !== 4 || point.length !== 1 + 2 * fieldBytes[curve]) {
    throw new FastnessError('X509_KEY', `Not an uncompressed point of ${curve}.`);
  }
  return { algorithm: 'EC', curve };
}

function unknownKey(fields: DerReader, oid: string): PublicKeyInfo {
  fields.element();
  fields.end();
  return { algorithm: 'unknown', oid };
}

function readModulusBits(key: Uint8Array): number {
  const outer = new DerReader(key);
  const fields = outer.sequence();
  outer.end();
  const modulus = fields.integer();
  const exponent = fields.integer();
  fields.end();
  const magnitude = modulus[0] === 0 ? modulus.subarray(1) : modulus;
  const top = magnitude[0] ?? 0;
  const negative = (modulus[0] ?? 0) >= 0x80 || (exponent[0] ?? 0) >= 0x80;
  // An even exponent, or one, would make every signature trivial to forge.
  const weakExponent = ((exponent.at(-1) ?? 0) & 1) === 0 || (exponent.length === 1 && exponent[0] === 1);
  if (negative || top === 0 || weakExponent || exponent.length > 5) {
    throw new FastnessError('X509_KEY', 'An RSA key with an impossible modulus or exponent.');
  }
  return magnitude.length * 8 - Math.clz32(top) + 24;
}
