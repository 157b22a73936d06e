import { createDecipheriv, privateDecrypt, randomBytes, type KeyObject } from 'node:crypto';
import { parseEnvelopedData } from '@fastness/codec/cms';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Opens the `CiphertextForRecipient` of AWS KMS with the private key whose public half was attested. The caller wipes
 * the result.
 *
 * A key that does not decrypt, content of no whole blocks and wrong padding are one and the same: a random key goes on
 * in place of one that did not decrypt, so no part of the failure tells which it was. CBC is not authenticated: the
 * result is as genuine as the connection to the service, until what it protects has opened.
 * Errors: CMS_MALFORMED, CMS_UNSUPPORTED, CMS_OPEN.
 */
export function openRecipientCiphertext(message: Uint8Array, privateKey: KeyObject): Uint8Array {
  const { encryptedKey, iv, encryptedContent } = parseEnvelopedData(message);
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'rsa') {
    throw new FastnessError('CMS_OPEN', 'The private key is no RSA key.');
  }
  const key = contentKey(encryptedKey, privateKey);
  try {
    const decipher = createDecipheriv('aes-256-cbc', key, iv);
    decipher.setAutoPadding(false);
    const padded = decipher.update(encryptedContent);
    decipher.final();
    try {
      return withoutPadding(padded);
    } finally {
      padded.fill(0);
    }
  } finally {
    key.fill(0);
  }
}

function contentKey(encryptedKey: Uint8Array, privateKey: KeyObject): Buffer {
  const substitute = randomBytes(32);
  try {
    const opened = privateDecrypt({ key: privateKey, oaepHash: 'sha256' }, encryptedKey);
    if (opened.length === 32) return opened;
    opened.fill(0);
    return substitute;
  } catch {
    return substitute;
  }
}

/** PKCS #7 padding (RFC 5652 section 6.3), looked at without a branch on its bytes. */
function withoutPadding(padded: Uint8Array): Uint8Array {
  const length = padded.at(-1) ?? 0;
  let wrong = Number(length < 1) | Number(length > 16);
  for (let back = 1; back <= 16; back += 1) {
    wrong |= Number(back <= length) & Number(padded.at(-back) !== length);
  }
  if (wrong !== 0) throw new FastnessError('CMS_OPEN');
  return new Uint8Array(padded.subarray(0, padded.length - length));
}
