import { DerReader } from '../der/reader.ts';
import type { KeyHolder } from './import-key.ts';
import { readPublicKey } from './public-key.ts';

/**
 * Reads a public key that comes without a certificate: one DER SubjectPublicKeyInfo, under the rules of `readPublicKey`.
 * @throws CODEC_*, X509_KEY
 */
export function parseSpki(spki: Uint8Array): KeyHolder {
  const reader = new DerReader(spki);
  const publicKey = readPublicKey(reader.sequence());
  reader.end();
  return Object.freeze({ spki, publicKey });
}
