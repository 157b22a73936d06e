import { plainBytes } from '../bytes/bytes.ts';
import { importSpki, type KeyHolder } from './import-key.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';

/** One signature and the key that it must have been made with. */
export interface SignatureCheck {
  readonly holder: KeyHolder;
  readonly algorithm: SignatureAlgorithm;
  /** ECDSA: r || s, each as long as a field element (IEEE P1363). RSA and Ed25519: as it is. */
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
}

/**
 * Says whether a signature holds. Rejects with X509_KEY when key and algorithm do not go together or the key cannot be
 * used; false means that a sound key did not make the signature. Handed in, so that a server may verify natively and a
 * browser through WebCrypto.
 */
export type SignatureVerifier = (check: SignatureCheck) => Promise<boolean>;

/** Verifies through WebCrypto, which every runtime has. */
export const webCryptoVerifier: SignatureVerifier = async ({ holder, algorithm, signature, message }) => {
  const key = await importSpki(holder, algorithm);
  return crypto.subtle.verify(verifyParameters(algorithm), key, plainBytes(signature), plainBytes(message));
};

function verifyParameters(algorithm: SignatureAlgorithm): Algorithm | EcdsaParams | RsaPssParams {
  switch (algorithm.kind) {
    case 'ecdsa':
      return { name: 'ECDSA', hash: algorithm.hash } satisfies EcdsaParams;
    case 'rsa-pss':
      return { name: 'RSA-PSS', saltLength: algorithm.saltLength } satisfies RsaPssParams;
    case 'rsa-pkcs1':
      return { name: 'RSASSA-PKCS1-v1_5' };
    case 'ed25519':
      break;
  }
  return { name: 'Ed25519' };
}
