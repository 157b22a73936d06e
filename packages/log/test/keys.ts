import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { fromBase64Url } from '@fastness/codec/bytes';
import { verifierKeyOf, type KeyAlgorithm, type SignEd25519, type VerifierKey } from '../src/index.ts';

/** A key pair of a log or a witness, made for this test run. */
export interface TestKey {
  readonly key: VerifierKey;
  readonly sign: SignEd25519;
  readonly privateKey: KeyObject;
}

export async function testKey(name: string, algorithm: KeyAlgorithm = 'ed25519'): Promise<TestKey> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? '');
  return {
    key: await verifierKeyOf({ name, publicKey: raw, algorithm }),
    sign: async (message) => new Uint8Array(sign(null, message, privateKey)),
    privateKey,
  };
}
