import { concatBytes, equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import {
  checkSegmentSize,
  decodeParameters,
  encodeParameters,
  floeHeaderLength,
  floeIvLength,
  floeKeyLength,
  headerTagLength,
} from './parameters.ts';
import { floeKdf, headerTagPurpose, messageKeyLength, messageKeyPurpose, type FloeContext } from './segment-keys.ts';

/** A started FLOE message: its context and its message key. */
export interface FloeStart extends FloeContext {
  /** 48 bytes; the caller wipes it. */
  readonly messageKey: Uint8Array;
}

/**
 * startEncryption: the header (74 bytes) and the message key. `iv` is 32 fresh random bytes; never pass one twice
 * with the same key. @throws FLOE_KEY_LENGTH, FLOE_SEGMENT_SIZE
 */
export function startFloe(key: Uint8Array, context: FloeContext): FloeStart & { readonly header: Uint8Array } {
  checkKey(key);
  checkSegmentSize(context.segmentSize);
  const tag = floeKdf(key, context, headerTagPurpose, headerTagLength);
  const header = concatBytes(encodeParameters(context.segmentSize), context.iv, tag);
  return { ...context, messageKey: floeKdf(key, context, messageKeyPurpose, messageKeyLength), header };
}

/**
 * startDecryption: checks that the header was made with this key and these associated data. The tag covers the
 * parameters, so the segment size is authentic afterwards. `expectedSegmentSize`, where given, must be the header's.
 * @throws FLOE_KEY_LENGTH, FLOE_TRUNCATED, FLOE_PARAMETERS, FLOE_HEADER_TAG
 */
export function openFloe(
  key: Uint8Array,
  options: { readonly header: Uint8Array; readonly aad: Uint8Array; readonly expectedSegmentSize?: number | undefined },
): FloeStart {
  const { header, aad, expectedSegmentSize } = options;
  checkKey(key);
  if (header.length < floeHeaderLength) throw new FastnessError('FLOE_TRUNCATED', 'The header is not whole.');
  const segmentSize = decodeParameters(header);
  if (expectedSegmentSize !== undefined && segmentSize !== expectedSegmentSize) {
    throw new FastnessError(
      'FLOE_PARAMETERS',
      `A segment size of ${segmentSize} instead of ${expectedSegmentSize} bytes.`,
    );
  }
  const tagOffset = floeHeaderLength - headerTagLength;
  const context = { segmentSize, iv: header.slice(tagOffset - floeIvLength, tagOffset), aad };
  const expected = floeKdf(key, context, headerTagPurpose, headerTagLength);
  if (!equalBytes(expected, header.subarray(tagOffset, floeHeaderLength))) throw new FastnessError('FLOE_HEADER_TAG');
  return { ...context, messageKey: floeKdf(key, context, messageKeyPurpose, messageKeyLength) };
}

function checkKey(key: Uint8Array): void {
  if (key.length !== floeKeyLength) throw new FastnessError('FLOE_KEY_LENGTH', `This one has ${key.length}.`);
}
