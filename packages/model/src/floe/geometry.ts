import { FastnessError } from '@fastness/codec/errors';
import { checkSegmentSize, floeHeaderLength, maxSegments, segmentOverhead } from './parameters.ts';

/** Where the segments of one file lie. All numbers are bytes, except `segments`. */
export interface FloeGeometry {
  /** Plaintext. */
  readonly size: number;
  /** Ciphertext with header. */
  readonly sealedSize: number;
  /** Ciphertext of every segment but the last. */
  readonly segmentSize: number;
  /** Plaintext of every segment but the last. */
  readonly capacity: number;
  readonly segments: number;
}

/**
 * How a plaintext of `size` bytes is laid out: full segments and a last one, which is empty only for an empty file.
 * @throws FLOE_SEGMENT_SIZE, FLOE_SEGMENT_RANGE when it would take more than 2^40 segments.
 */
export function geometryOf(size: number, segmentSize: number): FloeGeometry {
  checkSegmentSize(segmentSize);
  const capacity = segmentSize - segmentOverhead;
  const segments = Math.max(1, Math.ceil(size / capacity));
  const sealedSize = floeHeaderLength + size + segments * segmentOverhead;
  if (size < 0 || segments > maxSegments || !Number.isSafeInteger(size) || !Number.isSafeInteger(sealedSize)) {
    throw new FastnessError('FLOE_SEGMENT_RANGE', `A size of ${size} bytes.`);
  }
  return { size, sealedSize, segmentSize, capacity, segments };
}

/**
 * The layout of `sealedSize` bytes of ciphertext. FLOE lets an encryptor that did not know the end put an empty
 * segment after a full one; such a file is read too. A last segment too short to be one is left to whoever reads it:
 * only the segment before tells a cut file from one with bytes appended.
 * @throws FLOE_TRUNCATED when there is no segment at all, FLOE_SEGMENT_SIZE, FLOE_SEGMENT_RANGE.
 */
export function geometryOfSealed(sealedSize: number, segmentSize: number): FloeGeometry {
  checkSegmentSize(segmentSize);
  const body = sealedSize - floeHeaderLength;
  if (body <= 0) throw new FastnessError('FLOE_TRUNCATED', `It has ${sealedSize} bytes.`);
  const segments = Math.ceil(body / segmentSize);
  if (segments > maxSegments || !Number.isSafeInteger(sealedSize)) throw new FastnessError('FLOE_SEGMENT_RANGE');
  const capacity = segmentSize - segmentOverhead;
  const last = Math.max(0, body - (segments - 1) * segmentSize - segmentOverhead);
  return { size: (segments - 1) * capacity + last, sealedSize, segmentSize, capacity, segments };
}

/** One segment's place; bytes. */
export interface SegmentPlace {
  readonly position: number;
  readonly isFinal: boolean;
  readonly plaintextOffset: number;
  readonly plaintextLength: number;
  readonly sealedOffset: number;
  readonly sealedLength: number;
}

/** @throws FLOE_SEGMENT_RANGE */
export function placeOf(geometry: FloeGeometry, position: number): SegmentPlace {
  const { size, sealedSize, capacity, segmentSize, segments } = geometry;
  if (!Number.isSafeInteger(position) || position < 0 || position >= segments) {
    throw new FastnessError('FLOE_SEGMENT_RANGE', `Segment ${position} of ${segments}.`);
  }
  const plaintextOffset = position * capacity;
  const sealedOffset = floeHeaderLength + position * segmentSize;
  return {
    position,
    isFinal: position === segments - 1,
    plaintextOffset,
    plaintextLength: Math.min(capacity, size - plaintextOffset),
    sealedOffset,
    sealedLength: Math.min(segmentSize, sealedSize - sealedOffset),
  };
}
