import { concatBytes, u64be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { gcm } from './gcm.ts';
import { aeadIvLength, aeadTagLength, segmentOverhead, segmentPrefixLength } from './parameters.ts';
import type { SegmentKeys } from './segment-keys.ts';

/** The length field of every segment but the last. */
const notFinal = 0xffff_ffff;

export interface SegmentPosition {
  /** Counted from 0. */
  readonly position: number;
  readonly isFinal: boolean;
}

/**
 * encryptSegment, into `target`, whose length is the plaintext's and 32 more. `iv` is 12 fresh random bytes.
 * The plaintext may lie where its ciphertext goes, 16 bytes into `target`.
 * @throws FLOE_SEGMENT_RANGE when a segment that is not the last is not full, or one is too long.
 */
export function encryptSegment(
  keys: SegmentKeys,
  { position, isFinal }: SegmentPosition,
  data: { readonly iv: Uint8Array; readonly plaintext: Uint8Array; readonly target: Uint8Array },
): void {
  const { iv, plaintext, target } = data;
  const length = plaintext.length + segmentOverhead;
  if (isFinal ? length > keys.segmentSize : length !== keys.segmentSize) throw new FastnessError('FLOE_SEGMENT_RANGE');
  if (iv.length !== aeadIvLength || target.length !== length) throw new FastnessError('FLOE_SEGMENT_RANGE');
  new DataView(target.buffer, target.byteOffset).setUint32(0, isFinal ? length : notFinal);
  target.set(iv, 4);
  gcm().encrypt({
    key: keys.keyFor(position),
    iv,
    aad: segmentAad(position, isFinal),
    source: plaintext,
    target: target.subarray(segmentPrefixLength, length - aeadTagLength),
    tag: target.subarray(length - aeadTagLength),
  });
}

/**
 * decryptSegment, into `target`, which has exactly the plaintext's length and may lie where the ciphertext does. When
 * the tag does not verify, `target` is wiped: no unauthentic byte leaves this function.
 * @throws FLOE_TRUNCATED, FLOE_TRAILING, FLOE_SEGMENT_LENGTH (what the length field says against where the segment
 * stands), FLOE_SEGMENT_TAG, FLOE_SEGMENT_RANGE (a target of another length)
 */
export function decryptSegment(
  keys: SegmentKeys,
  { position, isFinal }: SegmentPosition,
  { segment, target }: { readonly segment: Uint8Array; readonly target: Uint8Array },
): void {
  checkLength(keys.segmentSize, { position, isFinal }, segment);
  if (target.length !== segment.length - segmentOverhead) throw new FastnessError('FLOE_SEGMENT_RANGE');
  const message = {
    key: keys.keyFor(position),
    iv: segment.subarray(4, segmentPrefixLength),
    aad: segmentAad(position, isFinal),
    source: segment.subarray(segmentPrefixLength, segment.length - aeadTagLength),
    target,
    tag: segment.subarray(segment.length - aeadTagLength),
  };
  gcm().decrypt(message, `Segment ${position}.`);
}

function checkLength(segmentSize: number, { position, isFinal }: SegmentPosition, segment: Uint8Array): void {
  if (segment.length < segmentOverhead) throw new FastnessError('FLOE_TRUNCATED', `Segment ${position}.`);
  const stated = new DataView(segment.buffer, segment.byteOffset).getUint32(0);
  if (stated !== notFinal && (stated < segmentOverhead || stated > segmentSize)) {
    throw new FastnessError('FLOE_SEGMENT_LENGTH', `Segment ${position}.`);
  }
  if (segment.length > segmentSize) throw new FastnessError('FLOE_TRAILING', `Segment ${position}.`);
  if (isFinal) {
    // The bytes end here: a segment that says another follows, or that it is longer, was cut.
    if (stated > segment.length) throw new FastnessError('FLOE_TRUNCATED', `Segment ${position}.`);
    if (stated < segment.length) throw new FastnessError('FLOE_TRAILING', `Segment ${position}.`);
  } else {
    if (stated !== notFinal) throw new FastnessError('FLOE_TRAILING', `Segment ${position} says it is the last.`);
    if (segment.length < segmentSize) throw new FastnessError('FLOE_TRUNCATED', `Segment ${position}.`);
  }
}

function segmentAad(position: number, isFinal: boolean): Uint8Array {
  return concatBytes(u64be(position), Uint8Array.of(isFinal ? 1 : 0));
}
