import { plainBytes } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import type { PublicKeyInfo } from './public-key.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';

/** What `importSpki` needs of a certificate. */
export interface KeyHolder {
  readonly spki: Uint8Array;
  readonly publicKey: PublicKeyInfo;
}

/**
 * Imports a certificate's key into WebCrypto for verification. WebCrypto ties an RSA key to one scheme and hash, so
 * RSA needs `algorithm`: the one of the signature to verify. Points off their curve are refused by the import.
 * @throws X509_KEY when the key and the algorithm do not go together, for RSA outside 2048..8192 bits, and for keys
 *   outside the subset.
 */
export async function importSpki(holder: KeyHolder, algorithm?: SignatureAlgorithm): Promise<CryptoKey> {
  const parameters = importParameters(holder.publicKey, algorithm);
  try {
    return await crypto.subtle.importKey('spki', plainBytes(holder.spki), parameters, true, ['verify']);
  } catch (cause) {
    throw new FastnessError('X509_KEY', 'The key cannot be imported.', { cause });
  }
}

/**
 * Checks that a key can have made signatures of an algorithm, under the rules of {@link importSpki}.
 * @throws X509_KEY
 */
export function checkKeyFits({ publicKey }: KeyHolder, algorithm: SignatureAlgorithm): void {
  importParameters(publicKey, algorithm);
}

function importParameters(
  key: PublicKeyInfo,
  algorithm: SignatureAlgorithm | undefined,
): RsaHashedImportParams | EcKeyImportParams | Algorithm {
  const kind = algorithm?.kind;
  switch (key.algorithm) {
    case 'EC':
      if (kind !== undefined && kind !== 'ecdsa') break;
      return { name: 'ECDSA', namedCurve: key.curve };
    case 'Ed25519':
      if (kind !== undefined && kind !== 'ed25519') break;
      return { name: 'Ed25519' };
    case 'RSA':
      if (key.modulusBits < 2048 || key.modulusBits > 8192) {
        throw new FastnessError('X509_KEY', `RSA of ${key.modulusBits} bits.`);
      }
      if (algorithm?.kind === 'rsa-pss') return { name: 'RSA-PSS', hash: algorithm.hash };
      if (algorithm?.kind === 'rsa-pkcs1') return { name: 'RSASSA-PKCS1-v1_5', hash: algorithm.hash };
      break;
    case 'unknown':
      throw new FastnessError('X509_KEY', `Key type ${key.oid}.`);
  }
  throw new FastnessError('X509_KEY', `A key of type ${key.algorithm} for ${kind ?? 'no stated algorithm'}.`);
}
