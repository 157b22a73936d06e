import { concatBytes, u32be } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';

// C2SP FLOE, "Parameters": everything but the segment size is fixed.
const aeadId = 0;
const kdfId = 0;

/** Bytes of the FLOE key, of the IV in the header and of the header tag. */
export const floeKeyLength = 32;
export const floeIvLength = 32;
export const headerTagLength = 32;
/** Bytes of the header: parameters (10), IV and tag. */
export const floeHeaderLength = 10 + floeIvLength + headerTagLength;

/** Bytes of a segment that are not plaintext: length (4), AEAD IV (12) and AEAD tag (16). */
export const aeadIvLength = 12;
export const aeadTagLength = 16;
export const segmentPrefixLength = 4 + aeadIvLength;
export const segmentOverhead = segmentPrefixLength + aeadTagLength;

/** 2^20 segments share an AES key. */
export const defaultRotationMask = 20;
/** Segments in one file, at most. */
export const maxSegments = 2 ** 40;

/** A segment holds at least one byte. The upper bound is ours: an untrusted header must not choose how much memory is used. */
export const minSegmentSize = segmentOverhead + 1;
export const maxSegmentSize = 16 * 1024 * 1024;
/** Bytes of a sealed segment, header and tag included; what model weights are sealed with. */
export const defaultSegmentSize = 1024 * 1024;

/** @throws FLOE_SEGMENT_SIZE */
export function checkSegmentSize(segmentSize: number): void {
  if (!Number.isSafeInteger(segmentSize) || segmentSize < minSegmentSize || segmentSize > maxSegmentSize) {
    throw new FastnessError('FLOE_SEGMENT_SIZE');
  }
}

/** PARAM_ENCODE: 10 bytes. */
export function encodeParameters(segmentSize: number): Uint8Array<ArrayBuffer> {
  return concatBytes(Uint8Array.of(aeadId, kdfId), u32be(segmentSize), u32be(floeIvLength));
}

/**
 * Reads PARAM_ENCODE back: the segment size in bytes. `bytes` is at least 10 long.
 * @throws FLOE_PARAMETERS for other algorithms, another IV length or a segment size outside the bounds above.
 */
export function decodeParameters(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segmentSize = view.getUint32(2);
  if (view.getUint8(0) !== aeadId || view.getUint8(1) !== kdfId || view.getUint32(6) !== floeIvLength) {
    throw new FastnessError('FLOE_PARAMETERS', 'Another AEAD, KDF or IV length.');
  }
  if (segmentSize < minSegmentSize || segmentSize > maxSegmentSize) {
    throw new FastnessError('FLOE_PARAMETERS', `A segment size of ${segmentSize} bytes.`);
  }
  return segmentSize;
}
