import { constants, createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import type { Sha256, VerificationMeans } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import {
  checkKeyFits,
  fieldBytes,
  type KeyHolder,
  type SignatureAlgorithm,
  type SignatureVerifier,
} from '@fastness/codec/x509';

/**
 * Verifies signatures with Node's OpenSSL, without WebCrypto's way through the thread pool: less work for each, all of it on
 * the calling thread (a P-384 signature takes most of a millisecond). Accepts and refuses what `webCryptoVerifier` does.
 */
export const nativeVerifier: SignatureVerifier = async ({ holder, algorithm, signature, message }) => {
  checkKeyFits(holder, algorithm);
  const key = keyFor(holder, algorithm);
  const { publicKey } = holder;
  if (algorithm.kind !== 'ecdsa' || publicKey.algorithm !== 'EC') {
    return verify(hashOf(algorithm), message, key, signature);
  }
  const half = fieldBytes[publicKey.curve];
  return signature.length === 2 * half && verify(hashOf(algorithm), message, key, ecdsaDer(signature, half));
};

/** SHA-256 on the calling thread: microseconds for a certificate, where WebCrypto's way through the thread pool takes 40. */
export const nativeSha256: Sha256 = (bytes) => Uint8Array.from(hash('sha256', bytes, 'buffer'));

/** Both, to be handed to `verifyEvidence`: `{ ...nativeMeans, evidence, ... }`. */
export const nativeMeans: Required<Pick<VerificationMeans, 'signatures' | 'sha256'>> = Object.freeze({
  signatures: nativeVerifier,
  sha256: nativeSha256,
});

const PEM_LINE = 64;
const hashes = Object.freeze({ 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' } as const);
/** Keys by their holder; those of RSA-PSS by the length of the salt as well. A parsed certificate does not change. */
const plainKeys = new WeakMap<KeyHolder, KeyObject>();
const pssKeys = new WeakMap<KeyHolder, Map<number, KeyObject>>();

/**
 * A key with what it is used with. Node takes padding and salt from whatever object it gets as a key. In an object around
 * the key they would cost 10 to 15 microseconds for every signature, which Node spends on finding the key in it. A key without
 * them stands for PKCS #1 v1.5, so that none of PSS would hold if they were overlooked.
 */
function keyFor(holder: KeyHolder, algorithm: SignatureAlgorithm): KeyObject {
  if (algorithm.kind !== 'rsa-pss') {
    const known = plainKeys.get(holder) ?? importKey(holder);
    plainKeys.set(holder, known);
    return known;
  }
  const { saltLength } = algorithm;
  const bySalt = pssKeys.get(holder) ?? new Map<number, KeyObject>();
  pssKeys.set(holder, bySalt);
  const known =
    bySalt.get(saltLength) ??
    Object.assign(importKey(holder), { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
  bySalt.set(saltLength, known);
  return known;
}

function importKey({ spki }: KeyHolder): KeyObject {
  try {
    return createPublicKey(pemOf(spki));
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

/** Node's names. Ed25519 has its hash built in. */
function hashOf(algorithm: SignatureAlgorithm): string | undefined {
  return algorithm.kind === 'ed25519' ? undefined : hashes[algorithm.hash];
}

/**
 * r || s as SEQUENCE { r, s } (RFC 3279, section 2.2.3): OpenSSL's own form, which spares Node a conversion that costs more.
 * `half`: bytes of each.
 */
function ecdsaDer(raw: Uint8Array, half: number): Uint8Array {
  const [r, s] = [magnitude(raw.subarray(0, half)), magnitude(raw.subarray(half))];
  const content = 4 + r.bytes.length + r.sign + s.bytes.length + s.sign;
  const head = content < 0x80 ? 2 : 3;
  const der = new Uint8Array(head + content);
  der[0] = 0x30;
  if (head === 3) der[1] = 0x81;
  der[head - 1] = content;
  let offset = head;
  for (const { bytes, sign } of [r, s]) {
    der[offset] = 0x02;
    der[offset + 1] = sign + bytes.length;
    der.set(bytes, offset + 2 + sign);
    offset += 2 + sign + bytes.length;
  }
  return der;
}

/** A number without leading zeros, and how many (one at most) must stand before it so that it is not negative. */
function magnitude(half: Uint8Array): { readonly bytes: Uint8Array; readonly sign: 0 | 1 } {
  let start = 0;
  while (start < half.length - 1 && half[start] === 0) start += 1;
  return { bytes: half.subarray(start), sign: (half[start] ?? 0) >= 0x80 ? 1 : 0 };
}
