import { constants as cryptoConstants, createHash, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { openContent, sealContent } from './binding.ts';
import { CKG_MGF1_SHA256, CKM, CKR, CKZ_DATA_SPECIFIED } from './constants.ts';
import { isUnsupported, mayBlameData } from './errors.ts';
import type { GcmOpener, Target } from './gcm-opener.ts';
import type { Arena, NativeBlock, Piece } from './memory.ts';
import { ModuleError, type Mechanism, type Module } from './module.ts';

export type SigningCurve = 'P-256' | 'P-384' | 'Ed25519';

const layout = 1;
const ivBytes = 12;
const tagBytes = 16;
const rsaBytes = 384;

/** The names that wrapped keys carry. */
export const wrapAlgorithms = Object.freeze({
  /** 01 | iv 12 | AES-256-GCM ciphertext | tag 16, by the token; the binding's digest is the associated data. */
  'aes-gcm': 'PKCS11-A256GCM',
  /** 01 | RSA-3072 OAEP-SHA256 of a secret, 384 | content | tag 16: the token opens the secret, the content is opened in the child. */
  'rsa-oaep': 'PKCS11-RSA3072-OAEP-SHA256+A256GCM',
});

/** ECDSA over the digest of the curve (CKM_ECDSA, prehashed), 2 coordinates; Ed25519 over the message. */
export function signRaw(
  module: Module,
  session: bigint,
  handle: bigint,
  curve: SigningCurve,
  message: Uint8Array,
): Uint8Array {
  if (curve === 'Ed25519') return module.operate('Sign', session, { type: CKM.EDDSA }, handle, message);
  const digest = createHash(curve === 'P-256' ? 'sha256' : 'sha384')
    .update(message)
    .digest();
  return module.operate('Sign', session, { type: CKM.ECDSA }, handle, digest);
}

/** How this module wants the nonce of AES-GCM: ours, or (CloudHSM) its own written over zeros. */
export interface GcmHabit {
  iv: 'ours' | 'token';
}

/** CK_GCM_PARAMS: address and length of the iv, its bits, address and length of the associated data, bits of the tag. */
function gcm(iv: Uint8Array, associated: Uint8Array, onIv?: (piece: Piece) => void): Mechanism {
  return {
    type: CKM.AES_GCM,
    parameter: (arena: Arena) => {
      const parameters = arena.take(48);
      const ivPiece = arena.put(iv);
      onIv?.(ivPiece);
      const values = [
        ivPiece.address,
        BigInt(iv.length),
        BigInt(iv.length * 8),
        arena.put(associated).address,
        BigInt(associated.length),
        BigInt(tagBytes * 8),
      ];
      const { view } = parameters;
      values.forEach((value, index) => view.setBigUint64(8 * index, value, true));
      return parameters;
    },
  };
}

export function wrapByGcm(
  module: Module,
  session: bigint,
  handle: bigint,
  habit: GcmHabit,
  binding: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const attempt = (): Uint8Array => {
    const iv = habit.iv === 'ours' ? new Uint8Array(randomBytes(ivBytes)) : new Uint8Array(ivBytes);
    let used = iv;
    let piece: Piece | undefined;
    const mechanism = gcm(iv, binding, (laid) => (piece = laid));
    const sealed = module.operate('Encrypt', session, mechanism, handle, plaintext, () => {
      if (piece !== undefined) used = piece.bytes.slice();
    });
    // A module that left the zeros in place would use one nonce for everything.
    if (used.every((byte) => byte === 0)) throw new ModuleError('C_Encrypt', CKR.MECHANISM_PARAM_INVALID);
    if (sealed.length !== plaintext.length + tagBytes) {
      throw new FastnessError('KEYS_HSM_UNSUPPORTED', 'Its AES-GCM does not append a tag of 16 bytes.');
    }
    return concatBytes(Uint8Array.of(layout), used, sealed);
  };
  try {
    return attempt();
  } catch (error) {
    if (habit.iv !== 'ours' || !isUnsupported(error)) throw error;
    habit.iv = 'token';
    try {
      return attempt();
    } catch {
      habit.iv = 'ours';
      throw error;
    }
  }
}

/** Errors: KEYS_WRAPPED_MALFORMED, KEYS_WRAPPED_ALGORITHM, KEYS_UNWRAP. */
export function unwrapByGcm(
  module: Module,
  session: bigint,
  handle: bigint,
  habit: GcmHabit,
  binding: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  checkGcmLayout(ciphertext.length, ciphertext[0]);
  const mechanism = gcm(ciphertext.subarray(1, 1 + ivBytes), binding);
  try {
    return module.operate('Decrypt', session, mechanism, handle, ciphertext.subarray(1 + ivBytes));
  } catch (error) {
    throw blamed(error, module, session, handle, habit, binding);
  }
}

/** Where the parts of a wrapped key and its binding lie in `block`. */
export interface PlacedKey {
  readonly block: NativeBlock;
  readonly ciphertext: readonly [offset: number, length: number];
  readonly binding: readonly [offset: number, length: number];
}

/** The same where it lies: `opener` decrypts to `target` and returns how many bytes. Errors: those of `unwrapByGcm`. */
export function unwrapByGcmTo(
  module: Module,
  session: bigint,
  handle: bigint,
  habit: GcmHabit,
  opener: GcmOpener,
  { block, ciphertext: [start, length], binding }: PlacedKey,
  target: Target,
): number {
  checkGcmLayout(length, block.bytes[start]);
  try {
    return opener.open(
      handle,
      { block, iv: start + 1, binding, sealed: [start + 1 + ivBytes, length - 1 - ivBytes] },
      target,
    );
  } catch (error) {
    const [offset, size] = binding;
    throw blamed(error, module, session, handle, habit, block.bytes.slice(offset, offset + size));
  }
}

function checkGcmLayout(length: number, first: number | undefined): void {
  if (length <= 1 + ivBytes + tagBytes) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
  if (first !== layout) throw new FastnessError('KEYS_WRAPPED_ALGORITHM', `Its layout is ${first}.`);
}

/** Several modules answer a wrong tag and a failing device alike. If the key still works, it was the ciphertext. */
function blamed(
  error: unknown,
  module: Module,
  session: bigint,
  handle: bigint,
  habit: GcmHabit,
  binding: Uint8Array,
): unknown {
  if (!mayBlameData(error)) return error;
  const known = wrapByGcm(module, session, handle, habit, binding, randomBytes(32));
  const mechanism = gcm(known.subarray(1, 1 + ivBytes), binding);
  module.operate('Decrypt', session, mechanism, handle, known.subarray(1 + ivBytes));
  return new FastnessError('KEYS_UNWRAP');
}

/** CK_RSA_PKCS_OAEP_PARAMS: hash, mask generation, source and its (empty) data. */
const oaep: Mechanism = {
  type: CKM.RSA_PKCS_OAEP,
  parameter: (arena) => {
    const parameters = arena.take(40);
    const values = [CKM.SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED];
    const { view } = parameters;
    values.forEach((value, index) => view.setBigUint64(8 * index, BigInt(value), true));
    return parameters;
  },
};

/** Under the public key, without the token. */
export function wrapByRsa(spki: Uint8Array, binding: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const secret = randomBytes(32);
  try {
    const carried = publicEncrypt(
      {
        key: createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }),
        padding: cryptoConstants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: 'sha256',
      },
      secret,
    );
    return concatBytes(Uint8Array.of(layout), carried, sealContent(secret, binding, plaintext));
  } finally {
    secret.fill(0);
  }
}

/** Errors: KEYS_WRAPPED_MALFORMED, KEYS_WRAPPED_ALGORITHM, KEYS_UNWRAP. */
export function unwrapByRsa(
  module: Module,
  session: bigint,
  key: { readonly handle: bigint; readonly spki: Uint8Array },
  binding: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array {
  if (ciphertext.length <= 1 + rsaBytes + tagBytes) throw new FastnessError('KEYS_WRAPPED_MALFORMED');
  if (ciphertext[0] !== layout) throw new FastnessError('KEYS_WRAPPED_ALGORITHM', `Its layout is ${ciphertext[0]}.`);
  const open = (carried: Uint8Array): Uint8Array => module.operate('Decrypt', session, oaep, key.handle, carried);
  let secret: Uint8Array;
  try {
    secret = open(ciphertext.subarray(1, 1 + rsaBytes));
  } catch (error) {
    if (!mayBlameData(error)) throw error;
    open(wrapByRsa(key.spki, binding, Uint8Array.of(0)).subarray(1, 1 + rsaBytes)).fill(0);
    throw new FastnessError('KEYS_UNWRAP');
  }
  try {
    if (secret.length !== 32) throw new FastnessError('KEYS_UNWRAP');
    return openContent(secret, binding, ciphertext.subarray(1 + rsaBytes));
  } finally {
    secret.fill(0);
  }
}
