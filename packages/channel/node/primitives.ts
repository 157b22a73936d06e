import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { nodeXWing } from './x-wing.ts';
import { webPrimitives, type AesGcm, type Hkdf, type Primitives } from '@fastness/channel';

const tagLength = 16;
const hashLength = 32;

/**
 * The channel's primitives by Node's own cryptography (OpenSSL, as behind its WebCrypto): without a change of thread, for
 * inputs that take microseconds.
 */
export const nodePrimitives: Primitives = Object.freeze({
  sha256: (bytes) => plain(hash('sha256', bytes, 'buffer')),
  hkdf: (secret) => hkdfOver(createSecretKey(secret)),
  hpkeXWing: nodeXWing,
  hpkeKdf: () => ({ ...webPrimitives.hpkeKdf(), Extract: extract, Expand: expand }),
  hpkeAes128Gcm: () => ({ ...webPrimitives.hpkeAes128Gcm(), ...hpkeAead('aes-128-gcm') }),
  hpkeAes256Gcm: () => ({ ...webPrimitives.hpkeAes256Gcm(), ...hpkeAead('aes-256-gcm') }),
} satisfies Primitives);

type GcmName = 'aes-128-gcm' | 'aes-256-gcm';

function hkdfOver(secret: KeyObject): Hkdf {
  const bytes: Hkdf['bytes'] = (salt, info, length) => new Uint8Array(hkdfSync('sha256', secret, salt, info, length));
  return {
    bytes,
    aesGcm: async (salt, info, keyLength) => {
      const key = await bytes(salt, info, keyLength);
      const cipher = aesGcm(keyLength === 16 ? 'aes-128-gcm' : 'aes-256-gcm', createSecretKey(key));
      key.fill(0);
      return cipher;
    },
  };
}

function aesGcm(name: GcmName, key: KeyObject): AesGcm {
  return {
    seal: (nonce, aad, plaintext) => seal(name, key, nonce, aad, plaintext),
    open: (nonce, aad, ciphertext) => open(name, key, nonce, aad, ciphertext),
  };
}

function seal(name: GcmName, key: KeyObject, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv(name, key, nonce, { authTagLength: tagLength });
  if (aad.length > 0) cipher.setAAD(aad);
  const sealed = new Uint8Array(plaintext.length + tagLength);
  sealed.set(cipher.update(plaintext));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

function open(name: GcmName, key: KeyObject, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  if (ciphertext.length < tagLength) throw new RangeError('shorter than a tag');
  const decipher = createDecipheriv(name, key, nonce, { authTagLength: tagLength });
  if (aad.length > 0) decipher.setAAD(aad);
  const end = ciphertext.length - tagLength;
  decipher.setAuthTag(ciphertext.subarray(end));
  const opened = decipher.update(ciphertext.subarray(0, end));
  // Throws where the tag is another; until then nobody sees what was deciphered.
  decipher.final();
  return plain(opened);
}

async function extract(salt: Uint8Array, ikm: Uint8Array): Promise<Uint8Array> {
  return hmac(salt, ikm);
}

/** RFC 5869 section 2.3. */
async function expand(prk: Uint8Array, info: Uint8Array, length: number): Promise<Uint8Array> {
  if (prk.length < hashLength || length > 255 * hashLength) throw new RangeError('HKDF-SHA256 cannot give that');
  const output = new Uint8Array(Math.ceil(length / hashLength) * hashLength);
  let block: Uint8Array = new Uint8Array(0);
  for (let index = 0; index * hashLength < length; index += 1) {
    block = hmac(prk, block, info, Uint8Array.of(index + 1));
    output.set(block, index * hashLength);
  }
  return output.subarray(0, length);
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  // A key object: Node takes five times as long over bytes.
  const mac = createHmac('sha256', createSecretKey(key));
  for (const part of parts) mac.update(part);
  return plain(mac.digest());
}

/** HPKE's AEADs take a key with every call and know no other failure than that of the tag. */
function hpkeAead(name: GcmName) {
  return {
    Seal: async (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) =>
      seal(name, createSecretKey(key), nonce, aad, plaintext),
    Open: async (key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array) =>
      open(name, createSecretKey(key), nonce, aad, ciphertext),
  };
}

/** A plain view: what reads views of a Buffer would hand out Buffers again. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
