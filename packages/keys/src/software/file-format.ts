import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ByteReader, concatBytes, equalBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { checkKdfCost, saltBytes, type KdfCost } from './kdf.ts';

/*
 * The file of a software key store:
 *
 *   magic 16 | version u32be (1) | memory KiB u32be | passes u32be | parallelism u32be | salt 16 | nonce 12
 *   | ciphertext | tag 16
 *
 * AES-256-GCM under the Argon2id key of the passphrase; everything before the ciphertext is the associated data, so
 * no byte of the file is unauthenticated. Every write draws a new nonce; the salt stays as long as the passphrase.
 */
const magic = utf8Encode('fastness-keystor');
const formatVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 16 + 4 * 4 + saltBytes + nonceBytes;

/** Upper bound of a store's file. */
export const maxStoreBytes = 4 * 1024 * 1024;

export interface StoreHeader {
  readonly cost: KdfCost;
  readonly salt: Uint8Array;
}

export interface SealedStore extends StoreHeader {
  readonly nonce: Uint8Array;
  /** Everything before the ciphertext. */
  readonly aad: Uint8Array;
  /** Ciphertext and tag. */
  readonly body: Uint8Array;
}

/** Errors: KEYS_NOT_A_STORE, KEYS_FORMAT_VERSION, KEYS_FILE_DAMAGED, KEYS_KDF_BOUNDS. */
export function parseStore(file: Uint8Array): SealedStore {
  if (file.length < magic.length || !equalBytes(file.subarray(0, magic.length), magic)) {
    throw new FastnessError('KEYS_NOT_A_STORE');
  }
  if (file.length < headerBytes + tagBytes) throw new FastnessError('KEYS_FILE_DAMAGED', 'It was cut short.');
  const reader = new ByteReader(file);
  reader.take(magic.length);
  const version = reader.u32be();
  if (version !== formatVersion) throw new FastnessError('KEYS_FORMAT_VERSION', `It is version ${version}.`);
  const cost: KdfCost = { memory: reader.u32be(), passes: reader.u32be(), parallelism: reader.u32be() };
  checkKdfCost(cost);
  const salt = reader.take(saltBytes);
  const nonce = reader.take(nonceBytes);
  return { cost, salt, nonce, aad: file.subarray(0, headerBytes), body: file.subarray(headerBytes) };
}

/** Errors: KEYS_UNLOCK. The caller wipes the result. */
export function openStore(store: SealedStore, fileKey: Uint8Array): Uint8Array {
  const split = store.body.length - tagBytes;
  const decipher = createDecipheriv('aes-256-gcm', fileKey, store.nonce, { authTagLength: tagBytes });
  decipher.setAAD(store.aad);
  decipher.setAuthTag(store.body.subarray(split));
  // update() is the only step that yields bytes in GCM; nothing of it is used before final() checked the tag.
  const content = decipher.update(store.body.subarray(0, split));
  try {
    decipher.final();
    return new Uint8Array(content);
  } catch {
    throw new FastnessError('KEYS_UNLOCK');
  } finally {
    content.fill(0);
  }
}

export function sealStore(header: StoreHeader, fileKey: Uint8Array, content: Uint8Array): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const aad = concatBytes(
    magic,
    u32be(formatVersion),
    u32be(header.cost.memory),
    u32be(header.cost.passes),
    u32be(header.cost.parallelism),
    header.salt,
    nonce,
  );
  const cipher = createCipheriv('aes-256-gcm', fileKey, nonce, { authTagLength: tagBytes });
  cipher.setAAD(aad);
  const body = cipher.update(content);
  cipher.final();
  return concatBytes(aad, body, cipher.getAuthTag());
}
