import { randomBytes } from 'node:crypto';
import { geometryOf, geometryOfSealed, placeOf, type FloeGeometry, type SegmentPlace } from './geometry.ts';
import { openFloe, startFloe } from './header.ts';
import { aeadIvLength, defaultRotationMask, defaultSegmentSize, floeHeaderLength, floeIvLength } from './parameters.ts';
import { createSegmentKeys, type SegmentKeys } from './segment-keys.ts';
import { decryptSegment, encryptSegment } from './segment.ts';

export interface FloeKeyAndAad {
  /** 32 bytes, uniformly random. */
  readonly key: Uint8Array;
  /** Associated data: authenticated, not stored. */
  readonly aad: Uint8Array;
}

/**
 * Encrypts a byte string that fits in memory (C2SP FLOE). `segmentSize` is bytes, default 1 MiB.
 * @throws FLOE_KEY_LENGTH, FLOE_SEGMENT_SIZE
 */
export function floeEncrypt(
  plaintext: Uint8Array,
  { key, aad, segmentSize = defaultSegmentSize }: FloeKeyAndAad & { readonly segmentSize?: number },
): Uint8Array {
  return encryptWith(plaintext, { key, aad, segmentSize, rotationMask: defaultRotationMask, random: randomBytes });
}

/** The same with its randomness handed in: for known answers only, since a repeated IV breaks the encryption. */
export function encryptWith(
  plaintext: Uint8Array,
  options: FloeKeyAndAad & {
    readonly segmentSize: number;
    readonly rotationMask: number;
    readonly random: (length: number) => Uint8Array;
  },
): Uint8Array {
  const { key, aad, segmentSize, rotationMask, random } = options;
  const geometry = geometryOf(plaintext.length, segmentSize);
  const start = startFloe(key, { segmentSize, iv: random(floeIvLength), aad });
  using keys = createSegmentKeys(start.messageKey, { ...start, rotationMask });
  start.messageKey.fill(0);
  const sealed = new Uint8Array(geometry.sealedSize);
  sealed.set(start.header);
  for (let position = 0; position < geometry.segments; position += 1) {
    const place = placeOf(geometry, position);
    encryptSegment(keys, place, {
      iv: random(aeadIvLength),
      plaintext: plaintext.subarray(place.plaintextOffset, place.plaintextOffset + place.plaintextLength),
      target: sealed.subarray(place.sealedOffset, place.sealedOffset + place.sealedLength),
    });
  }
  return sealed;
}

/**
 * Decrypts a whole byte string.
 * @throws FLOE_KEY_LENGTH, FLOE_PARAMETERS, FLOE_HEADER_TAG, FLOE_SEGMENT_LENGTH, FLOE_SEGMENT_TAG, FLOE_TRUNCATED,
 * FLOE_TRAILING; nothing of the plaintext is returned unless all of it verified.
 */
export function floeDecrypt(sealed: Uint8Array, options: FloeKeyAndAad): Uint8Array {
  return decryptWith(sealed, { ...options, rotationMask: defaultRotationMask });
}

/** The same with another rotation mask: for known answers. */
export function decryptWith(
  sealed: Uint8Array,
  options: FloeKeyAndAad & { readonly rotationMask: number },
): Uint8Array {
  using message = openMessage(sealed, options);
  const { geometry, keys } = message;
  const plaintext = new Uint8Array(geometry.size);
  try {
    for (let position = 0; position < geometry.segments; position += 1) {
      const place = placeOf(geometry, position);
      const target = plaintext.subarray(place.plaintextOffset, place.plaintextOffset + place.plaintextLength);
      decryptSegment(keys, place, { segment: segmentAt(sealed, place), target });
    }
  } catch (error) {
    plaintext.fill(0);
    throw error;
  }
  return plaintext;
}

/**
 * Decrypts one segment and no other. It verifies that this segment stands at `position` of this message and whether
 * it is the last one; the other segments stay unverified.
 * @throws as floeDecrypt, and FLOE_SEGMENT_RANGE
 */
export function floeDecryptSegment(
  sealed: Uint8Array,
  options: FloeKeyAndAad & { readonly position: number },
): Uint8Array {
  using message = openMessage(sealed, { ...options, rotationMask: defaultRotationMask });
  const place = placeOf(message.geometry, options.position);
  const plaintext = new Uint8Array(place.plaintextLength);
  decryptSegment(message.keys, place, { segment: segmentAt(sealed, place), target: plaintext });
  return plaintext;
}

interface OpenMessage extends Disposable {
  readonly keys: SegmentKeys;
  readonly geometry: FloeGeometry;
}

function openMessage(sealed: Uint8Array, options: FloeKeyAndAad & { readonly rotationMask: number }): OpenMessage {
  const { key, aad, rotationMask } = options;
  const start = openFloe(key, { header: sealed.subarray(0, floeHeaderLength), aad });
  const keys = createSegmentKeys(start.messageKey, { ...start, rotationMask });
  start.messageKey.fill(0);
  try {
    return {
      keys,
      geometry: geometryOfSealed(sealed.length, start.segmentSize),
      [Symbol.dispose]: () => keys[Symbol.dispose](),
    };
  } catch (error) {
    keys[Symbol.dispose]();
    throw error;
  }
}

function segmentAt(sealed: Uint8Array, { sealedOffset, sealedLength }: SegmentPlace): Uint8Array {
  return sealed.subarray(sealedOffset, sealedOffset + sealedLength);
}
