import { constants, createPublicKey, hash, verify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';
import type { Sha256, VerificationMeans } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { checkKeyFits, type KeyHolder, type SignatureAlgorithm, type SignatureVerifier } from '@fastness/codec/x509';

/**
 * Verifies signatures with Node's OpenSSL, without WebCrypto's way through the thread pool: less work for each, all of it on
 * the calling thread (a P-384 signature takes most of a millisecond). Accepts and refuses what `webCryptoVerifier` does.
 */
export const nativeVerifier: SignatureVerifier = async ({ holder, algorithm, signature, message }) => {
  checkKeyFits(holder, algorithm);
  const key = importKey(holder);
  return verify(hashOf(algorithm), message, { key, ...parametersOf(algorithm) }, signature);
};

/** SHA-256 on the calling thread: microseconds for a certificate, where WebCrypto's way through the thread pool takes 40. */
export const nativeSha256: Sha256 = (bytes) => Uint8Array.from(hash('sha256', bytes, 'buffer'));

/** Both, to be handed to `verifyEvidence`: `{ ...nativeMeans, evidence, ... }`. */
export const nativeMeans: Required<Pick<VerificationMeans, 'signatures' | 'sha256'>> = Object.freeze({
  signatures: nativeVerifier,
  sha256: nativeSha256,
});

const PEM_LINE = 64;
const imported = new WeakMap<KeyHolder, KeyObject>();

/** A parsed certificate does not change, so its key is imported once. */
function importKey(holder: KeyHolder): KeyObject {
  const { spki } = holder;
  const known = imported.get(holder);
  if (known !== undefined) return known;
  try {
    const key = createPublicKey(pemOf(spki));
    imported.set(holder, key);
    return key;
  } catch (cause) {
    throw new FastnessError('X509_KEY', 'The key cannot be imported.', { cause });
  }
}

/** As text: Node imports that in half the time that it takes for the same key in DER. */
function pemOf(spki: Uint8Array): string {
  const base64 = Buffer.from(spki.buffer, spki.byteOffset, spki.length).toString('base64');
  let lines = '-----BEGIN PUBLIC KEY-----\n';
  for (let start = 0; start < base64.length; start += PEM_LINE) lines += `${base64.slice(start, start + PEM_LINE)}\n`;
  return `${lines}-----END PUBLIC KEY-----\n`;
}

/** Ed25519 has its hash built in. */
function hashOf(algorithm: SignatureAlgorithm): string | undefined {
  return algorithm.kind === 'ed25519' ? undefined : algorithm.hash.replace('-', '').toLowerCase();
}

function parametersOf(algorithm: SignatureAlgorithm): Omit<VerifyKeyObjectInput, 'key'> {
  switch (algorithm.kind) {
    case 'ecdsa':
      return { dsaEncoding: 'ieee-p1363' };
    case 'rsa-pss':
      return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltLength };
    case 'rsa-pkcs1':
      return { padding: constants.RSA_PKCS1_PADDING };
    case 'ed25519':
      break;
  }
  return {};
}
