import {
  constants,
  createCipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, toBase64Url, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { readGuestKey, type GuestKey } from './guest-key.ts';

/** A JWE in the flattened form (RFC 7516, section 7.2.2), with all parameters in the protected header and no `aad`. */
export interface FlattenedJwe {
  readonly protected: string;
  readonly encrypted_key: string;
  readonly iv: string;
  readonly ciphertext: string;
  readonly tag: string;
}

/** Initial value of RFC 3394, section 2.2.3.1. */
const wrapInitial = new Uint8Array(8).fill(0xa6);

/**
 * Encrypts to a guest: A256GCM, the content key agreed by ECDH-ES+A256KW or sent by RSA-OAEP-256.
 *
 * The guest parses the protected header and writes it anew before it takes it as additional data, so the order of its
 * members matters as nowhere else: alg, enc, epk, and in epk crv, kty, x, y, without white space. That is why no JOSE library
 * writes it. Throws `RCAR_KEY_UNSUPPORTED`, `RCAR_KEY_INVALID`.
 */
export function encryptToGuest(key: GuestKey, plaintext: Uint8Array): FlattenedJwe {
  const publicKey = readGuestKey(key);
  const contentKey = new Uint8Array(randomBytes(32));
  try {
    const { header, encryptedKey } =
      key.kty === 'EC' ? agreeKey(publicKey, key.crv, contentKey) : sendKey(publicKey, contentKey);
    const protectedHeader = toBase64Url(utf8Encode(JSON.stringify(header)));
    const iv = new Uint8Array(randomBytes(12));
    const cipher = createCipheriv('aes-256-gcm', contentKey, iv);
    cipher.setAAD(utf8Encode(protectedHeader));
    const ciphertext = concatBytes(cipher.update(plaintext), cipher.final());
    return {
      protected: protectedHeader,
      encrypted_key: toBase64Url(encryptedKey),
      iv: toBase64Url(iv),
      ciphertext: toBase64Url(ciphertext),
      tag: toBase64Url(new Uint8Array(cipher.getAuthTag())),
    };
  } finally {
    contentKey.fill(0);
  }
}

interface WrappedContentKey {
  readonly header: object;
  readonly encryptedKey: Uint8Array;
}

function agreeKey(publicKey: KeyObject, curve: string, contentKey: Uint8Array): WrappedContentKey {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: curve });
  const secret = new Uint8Array(diffieHellman({ privateKey: ephemeral.privateKey, publicKey }));
  const keyKey = deriveKeyKey(secret);
  secret.fill(0);
  try {
    const cipher = createCipheriv('id-aes256-wrap', keyKey, wrapInitial);
    const encryptedKey = concatBytes(cipher.update(contentKey), cipher.final());
    const { x, y } = ephemeral.publicKey.export({ format: 'jwk' });
    if (x === undefined || y === undefined) throw new FastnessError('BROKER_INTERNAL');
    const epk = { crv: curve, kty: 'EC', x, y };
    return { header: { alg: 'ECDH-ES+A256KW', enc: 'A256GCM', epk }, encryptedKey };
  } finally {
    keyKey.fill(0);
  }
}

/** The Concat KDF of RFC 7518, section 4.6.2, for 256 bits: one round. No apu, no apv. */
function deriveKeyKey(secret: Uint8Array): Uint8Array {
  const algorithm = utf8Encode('ECDH-ES+A256KW');
  const info = concatBytes(u32be(algorithm.length), algorithm, u32be(0), u32be(0), u32be(256));
  return new Uint8Array(createHash('sha256').update(u32be(1)).update(secret).update(info).digest());
}

function sendKey(publicKey: KeyObject, contentKey: Uint8Array): WrappedContentKey {
  const encryptedKey = publicEncrypt(
    { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    contentKey,
  );
  return { header: { alg: 'RSA-OAEP-256', enc: 'A256GCM' }, encryptedKey: new Uint8Array(encryptedKey) };
}
