import { concatBytes, u64be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { aeadIvLength, aeadTagLength, segmentOverhead, segmentPrefixLength } from './parameters.ts';
import type { SegmentKeys } from './segment-keys.ts';

const algorithm = 'aes-256-gcm';
/** The length field of every segment but the last. */
const notFinal = 0xffff_ffff;

/**
 * Bytes given to OpenSSL at once. `update` returns newly allocated memory; up to this size allocators take it from a
 * free list that is still in the processor's cache (glibc below 128 KiB, musl below 112), above it they map fresh pages.
 */
const pieceLength = 96 * 1024;

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
  const cipher = createCipheriv(algorithm, keys.keyFor(position), iv, { authTagLength: aeadTagLength });
  cipher.setAAD(segmentAad(position, isFinal));
  new DataView(target.buffer, target.byteOffset).setUint32(0, isFinal ? length : notFinal);
  target.set(iv, 4);
  for (let offset = 0; offset < plaintext.length; offset += pieceLength) {
    const piece = cipher.update(plaintext.subarray(offset, offset + pieceLength));
    target.set(piece, segmentPrefixLength + offset);
    release(piece);
  }
  cipher.final();
  target.set(cipher.getAuthTag(), length - aeadTagLength);
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
  const iv = segment.subarray(4, segmentPrefixLength);
  const decipher = createDecipheriv(algorithm, keys.keyFor(position), iv, { authTagLength: aeadTagLength });
  decipher.setAAD(segmentAad(position, isFinal));
  decipher.setAuthTag(segment.subarray(segment.length - aeadTagLength));
  const ciphertext = segment.subarray(segmentPrefixLength, segment.length - aeadTagLength);
  for (let offset = 0; offset < ciphertext.length; offset += pieceLength) {
    const piece = decipher.update(ciphertext.subarray(offset, offset + pieceLength));
    target.set(piece, offset);
    release(piece);
  }
  try {
    decipher.final();
  } catch {
    target.fill(0);
    throw new FastnessError('FLOE_SEGMENT_TAG', `Segment ${position}.`);
  }
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

/**
 * Gives the memory of a cipher's output back at once, so that the next output gets the same, still in cache. Left to
 * the collector, thousands of pieces pile up and each new one is cold memory: measured, half the throughput.
 */
function release(piece: Uint8Array): void {
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.byteLength) buffer.transfer(0);
}
