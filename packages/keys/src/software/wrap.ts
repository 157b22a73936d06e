import { createHash, hkdf, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { derivedBytes, framedBinding, openWith, sealWith, tagBytes } from '../content-cipher.ts';
import { checkContext, checkPlaintext, maxPlaintextBytes } from '../wrap-sizes.ts';
import type { WrappedKey } from '../wrapped-key.ts';

/*
 * ciphertext = 01 | salt 32 | AES-256-GCM ciphertext | tag 16
 *
 * HKDF-SHA256 (RFC 5869) over the wrapping key, with a fresh salt and the framed binding below as info, gives key and
 * nonce: each wrapping has a key of its own, so no nonce can repeat under one key however often a store wraps.
 * The binding is the associated data too.
 */
export const wrapAlgorithm = 'HKDF-SHA256+A256GCM';

const layout = 1;
const saltBytes = 32;
const overhead = 1 + saltBytes + tagBytes;
const hkdfAsync = promisify(hkdf);

export interface WrapBinding {
  readonly keyId: string;
  readonly keyVersion: number;
  readonly context: Uint8Array;
}

/** Errors: KEYS_SIZE. */
export async function wrapKey(kek: Uint8Array, plaintext: Uint8Array, binding: WrapBinding): Promise<WrappedKey> {
  checkPlaintext(plaintext);
  const salt = randomBytes(saltBytes);
  const { aad, derived } = await derive(kek, salt, binding);
  try {
    const ciphertext = concatBytes(Uint8Array.of(layout), salt, sealWith(derived, aad, plaintext));
    return { keyId: binding.keyId, keyVersion: binding.keyVersion, algorithm: wrapAlgorithm, ciphertext };
  } finally {
    derived.fill(0);
  }
}

/** Errors: KEYS_SIZE, KEYS_WRAPPED_ALGORITHM, KEYS_WRAPPED_MALFORMED, KEYS_UNWRAP. */
export async function unwrapKey(kek: Uint8Array, wrapped: WrappedKey, context: Uint8Array): Promise<Uint8Array> {
  if (wrapped.algorithm !== wrapAlgorithm) throw new FastnessError('KEYS_WRAPPED_ALGORITHM');
  const { ciphertext } = wrapped;
  if (ciphertext.length <= overhead || ciphertext.length > overhead + maxPlaintextBytes) {
    throw new FastnessError('KEYS_WRAPPED_MALFORMED', `It has ${ciphertext.length} bytes.`);
  }
  if (ciphertext[0] !== layout) throw new FastnessError('KEYS_WRAPPED_ALGORITHM', `Its layout is ${ciphertext[0]}.`);
  const binding = { keyId: wrapped.keyId, keyVersion: wrapped.keyVersion, context };
  const { aad, derived } = await derive(kek, ciphertext.subarray(1, 1 + saltBytes), binding);
  try {
    return openWith(derived, aad, ciphertext.subarray(1 + saltBytes));
  } finally {
    derived.fill(0);
  }
}

async function derive(
  kek: Uint8Array,
  salt: Uint8Array,
  { keyId, keyVersion, context }: WrapBinding,
): Promise<{ aad: Uint8Array; derived: Uint8Array }> {
  checkContext(context);
  const aad = framedBinding('fastness/wrap/v1', keyId, keyVersion, context);
  // OpenSSL takes at most 1024 bytes of info; the digest of the binding stands for it, the associated data repeats it whole.
  const info = createHash('sha256').update(aad).digest();
  const derived = new Uint8Array(await hkdfAsync('sha256', kek, salt, info, derivedBytes));
  return { aad, derived };
}
