import { concatBytes, u64be, utf8Encode } from '@fastness/codec/bytes';
import { createHmac } from 'node:crypto';
import { encodeParameters } from './parameters.ts';

/** KDF_KEY_LEN, bytes. */
export const messageKeyLength = 48;

/** What a FLOE key is stretched over: the header's parameters and IV, and the caller's associated data. */
export interface FloeContext {
  /** Bytes. */
  readonly segmentSize: number;
  /** 32 bytes. */
  readonly iv: Uint8Array;
  readonly aad: Uint8Array;
}

/**
 * FLOE_KDF: HKDF-Expand (RFC 5869, section 2.3) with SHA-384 over parameters, IV, purpose and associated data.
 * Every output FLOE takes fits one block of 48 bytes, so one HMAC makes it.
 */
export function floeKdf(key: Uint8Array, context: FloeContext, purpose: Uint8Array, length: 32 | 48): Uint8Array {
  const block = createHmac('sha384', key)
    .update(encodeParameters(context.segmentSize))
    .update(context.iv)
    .update(purpose)
    .update(context.aad)
    .update(Uint8Array.of(1))
    .digest();
  const output = new Uint8Array(block.subarray(0, length));
  block.fill(0);
  return output;
}

export const headerTagPurpose: Uint8Array = utf8Encode('HEADER_TAG:');
export const messageKeyPurpose: Uint8Array = utf8Encode('MESSAGE_KEY:');
const segmentKeyPurpose = utf8Encode('DEK:');

/** Gives the AES key of each segment of one file, and wipes what it holds. */
export interface SegmentKeys extends Disposable {
  readonly segmentSize: number;
  /** 32 bytes, valid until the next call. `position` counts segments from 0. */
  keyFor(position: number): Uint8Array;
}

/**
 * DERIVE_KEY with the current key kept: it changes every 2^`rotationMask` segments. `messageKey` (48 bytes) stays the
 * caller's to wipe; the copy made here, and the current AES key, go when this is disposed. Copies inside OpenSSL
 * are cleansed by OpenSSL when the cipher objects are collected.
 */
export function createSegmentKeys(
  messageKey: Uint8Array,
  context: FloeContext & { readonly rotationMask: number },
): SegmentKeys {
  const ownKey = new Uint8Array(messageKey);
  const span = 2 ** context.rotationMask;
  let current: { readonly first: number; readonly key: Uint8Array } | undefined;
  return {
    segmentSize: context.segmentSize,
    keyFor(position) {
      // MASK clears the low bits; done by arithmetic because positions pass 2^32.
      const first = position - (position % span);
      if (current?.first === first) return current.key;
      current?.key.fill(0);
      current = { first, key: floeKdf(ownKey, context, concatBytes(segmentKeyPurpose, u64be(first)), 32) };
      return current.key;
    },
    [Symbol.dispose]() {
      ownKey.fill(0);
      current?.key.fill(0);
      current = undefined;
    },
  };
}
