import { createHash, randomBytes } from 'node:crypto';
import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { framedBinding } from '../content-cipher.ts';
import { unwrapKey, wrapAlgorithm, wrapKey, type WrapBinding } from '../software/wrap.ts';

/*
 * ciphertext = 01 | length of blob u16be | blob | wrapping under the secret
 *
 * A fresh secret of 32 bytes is what the service encrypts (`blob`); the key itself is wrapped here, under that secret,
 * with the same construction that the software store uses. So every service takes keys and contexts of every allowed
 * size, one that knows no context is bound to it all the same, an answer that was altered on its way does not open,
 * and the service alone, without the wrapped key, does not learn the key.
 */
const layout = 1;
const headBytes = 3;
const secretBytes = 32;

/** What the service is asked to bind: a digest, because services write such context into their logs. */
function bindingDigest({ keyId, keyVersion, context }: WrapBinding): Uint8Array {
  const framed = framedBinding('fastness/cloud-wrap/v1', keyId, keyVersion, context);
  return new Uint8Array(createHash('sha256').update(framed).digest());
}

/** `seal` has the service encrypt the secret. Errors: those of `seal`. */
export async function sealEnvelope(
  plaintext: Uint8Array,
  binding: WrapBinding,
  seal: (secret: Uint8Array, digest: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const secret = new Uint8Array(randomBytes(secretBytes));
  try {
    const blob = await seal(secret, bindingDigest(binding));
    if (blob.length < 1 || blob.length > 2048) {
      throw new FastnessError('KEYS_CLOUD_PROTOCOL', `A ciphertext of ${blob.length} bytes.`);
    }
    const { ciphertext } = await wrapKey(secret, plaintext, binding);
    return concatBytes(Uint8Array.of(layout, blob.length >> 8, blob.length & 0xff), blob, ciphertext);
  } finally {
    secret.fill(0);
  }
}

/** `open` has the service decrypt the blob. Errors: KEYS_WRAPPED_ALGORITHM, KEYS_UNWRAP, and those of `open`. */
export async function openEnvelope(
  envelope: Uint8Array,
  binding: WrapBinding,
  open: (blob: Uint8Array, digest: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  if (envelope.length < headBytes) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
  if (envelope[0] !== layout) throw new FastnessError('KEYS_WRAPPED_ALGORITHM', `Its layout is ${envelope[0]}.`);
  const end = headBytes + (((envelope[1] ?? 0) << 8) | (envelope[2] ?? 0));
  if (end <= headBytes || end >= envelope.length) throw new FastnessError('KEYS_UNWRAP');
  const secret = await open(envelope.subarray(headBytes, end), bindingDigest(binding));
  try {
    if (secret.length !== secretBytes) throw new FastnessError('KEYS_UNWRAP');
    const { keyId, keyVersion, context } = binding;
    const ciphertext = envelope.subarray(end);
    return await unwrapKey(secret, { keyId, keyVersion, algorithm: wrapAlgorithm, ciphertext }, context);
  } finally {
    secret.fill(0);
  }
}
