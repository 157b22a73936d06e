import { encodePem, fromHex, plainBytes, toHex, utf8Encode } from '@fastness/codec/bytes';
import { ecdsaSignatureToRaw } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { sha256 } from './digest.ts';

/** Keys that sign statements (OMS: the curves of ECDSA) and approvals (Ed25519 too). */
export type VerifyAlgorithm = 'P-256' | 'P-384' | 'P-521' | 'Ed25519';

interface AlgorithmFacts {
  /** Everything of the SubjectPublicKeyInfo before the key itself: RFC 5480 (uncompressed point) and RFC 8410. */
  readonly prefix: string;
  readonly length: number;
  /** Hash and coordinate size of ECDSA; Ed25519 has its own. */
  readonly ecdsa?: { readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512'; readonly coordinate: number };
}

const algorithmFacts = Object.freeze({
  'P-256': {
    prefix: '3059301306072a8648ce3d020106082a8648ce3d03010703420004',
    length: 91,
    ecdsa: { hash: 'SHA-256', coordinate: 32 },
  },
  'P-384': {
    prefix: '3076301006072a8648ce3d020106052b8104002203620004',
    length: 120,
    ecdsa: { hash: 'SHA-384', coordinate: 48 },
  },
  'P-521': {
    prefix: '30819b301006072a8648ce3d020106052b810400230381860004',
    length: 158,
    ecdsa: { hash: 'SHA-512', coordinate: 66 },
  },
  Ed25519: { prefix: '302a300506032b6570032100', length: 44 },
} as const satisfies Record<VerifyAlgorithm, AlgorithmFacts>);

/** A public key ready to verify with. */
export interface VerifyKey {
  readonly algorithm: VerifyAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** Hex SHA-256 of the SubjectPublicKeyInfo as PEM: the key hint of OMS, and how people compare keys. */
  readonly id: string;
  readonly key: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
}

/**
 * Reads a public key from SubjectPublicKeyInfo DER. Exactly one encoding of each key is accepted (named curve,
 * uncompressed point), so equal keys are equal bytes. Errors: OMS_KEY_UNSUPPORTED.
 */
export async function importVerifyKey(spki: Uint8Array, allowed: readonly VerifyAlgorithm[]): Promise<VerifyKey> {
  const algorithm = algorithmOf(spki);
  if (algorithm === undefined || !allowed.includes(algorithm)) {
    throw new FastnessError('OMS_KEY_UNSUPPORTED', algorithm === undefined ? undefined : `It is ${algorithm}.`);
  }
  const facts: AlgorithmFacts = algorithmFacts[algorithm];
  const parameters = facts.ecdsa === undefined ? { name: algorithm } : { name: 'ECDSA', namedCurve: algorithm };
  const bytes = new Uint8Array(spki);
  try {
    const key = await crypto.subtle.importKey('spki', bytes, parameters, false, ['verify']);
    return { algorithm, spki: bytes, id: await keyIdOf(bytes), key };
  } catch (cause) {
    throw new FastnessError('OMS_KEY_UNSUPPORTED', 'The point is not on the curve.', { cause });
  }
}

/** Hex SHA-256 of the PEM form, as OMS writes it into key hints. */
export async function keyIdOf(spki: Uint8Array): Promise<string> {
  return toHex(await sha256(utf8Encode(encodePem(spki, 'PUBLIC KEY'))));
}

/** The algorithm of a SubjectPublicKeyInfo; undefined when it is none of those known here. */
export function algorithmOf(spki: Uint8Array): VerifyAlgorithm | undefined {
  for (const algorithm of ['P-256', 'P-384', 'P-521', 'Ed25519'] as const) {
    const { prefix, length } = algorithmFacts[algorithm];
    if (spki.length === length && toHex(spki.subarray(0, fromHex(prefix).length)) === prefix) return algorithm;
  }
  return undefined;
}

/**
 * Whether `signature` (ECDSA as DER, Ed25519 raw) is over `message`. A malformed signature counts as wrong: several
 * keys and signatures may have to be tried, and the caller throws when none fits.
 */
export async function signatureFits(key: VerifyKey, signature: Uint8Array, message: Uint8Array): Promise<boolean> {
  const { ecdsa }: AlgorithmFacts = algorithmFacts[key.algorithm];
  if (ecdsa === undefined) {
    return crypto.subtle.verify({ name: 'Ed25519' }, key.key, plainBytes(signature), plainBytes(message));
  }
  const raw = rawOrUndefined(signature, ecdsa.coordinate);
  if (raw === undefined) return false;
  return crypto.subtle.verify({ name: 'ECDSA', hash: ecdsa.hash }, key.key, raw, plainBytes(message));
}

function rawOrUndefined(signature: Uint8Array, coordinate: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    return ecdsaSignatureToRaw(signature, coordinate);
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}
