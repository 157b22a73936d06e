import { createPrivateKey, createPublicKey, generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm } from '../key-store.ts';

interface SigningFacts {
  readonly hash: 'sha256' | 'sha384' | null;
  generate(): Promise<{ privateKey: KeyObject }>;
}

const generate = promisify(generateKeyPair);

const signingFacts = Object.freeze({
  'P-256': { hash: 'sha256', generate: () => generate('ec', { namedCurve: 'P-256' }) },
  'P-384': { hash: 'sha384', generate: () => generate('ec', { namedCurve: 'P-384' }) },
  Ed25519: { hash: null, generate: () => generate('ed25519', {}) },
} satisfies Partial<Record<KeyAlgorithm, SigningFacts>>);

export type SigningAlgorithm = keyof typeof signingFacts;

export function isSigningAlgorithm(algorithm: KeyAlgorithm): algorithm is SigningAlgorithm {
  return Object.hasOwn(signingFacts, algorithm);
}

/** A new private key, PKCS#8 DER. The caller wipes it. */
export async function generateSigningKey(algorithm: SigningAlgorithm): Promise<Uint8Array> {
  const { privateKey } = await signingFacts[algorithm].generate();
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const copy = new Uint8Array(der);
  der.fill(0);
  return copy;
}

/** SubjectPublicKeyInfo, DER. Errors: KEYS_FILE_DAMAGED. */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  return new Uint8Array(createPublicKey(importSecret(secret)).export({ format: 'der', type: 'spki' }));
}

/** ECDSA as DER, Ed25519 raw. Errors: KEYS_FILE_DAMAGED. */
export function signMessage(algorithm: SigningAlgorithm, secret: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
  const key = importSecret(secret);
  return new Promise((resolve, reject) => {
    sign(signingFacts[algorithm].hash, message, { key, dsaEncoding: 'der' }, (error, signature) => {
      if (error === null) resolve(new Uint8Array(signature));
      else reject(error);
    });
  });
}

function importSecret(secret: Uint8Array): KeyObject {
  try {
    // A view on the same memory: a Buffer copy would be one more place to wipe.
    const der = Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    // The cause is dropped: a parser's message may quote what it read.
    throw new FastnessError('KEYS_FILE_DAMAGED', 'A signing key does not parse.');
  }
}
