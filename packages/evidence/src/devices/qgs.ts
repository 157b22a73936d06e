import { ByteReader, concatBytes, u16le, u32be, u32le } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Messages of Intel's quote generation service (qgs_msg_lib of the DCAP sources, version 1): a length in network order, then a
 * header and what belongs to its type, little-endian. The service runs on the host and is trusted with nothing: what it
 * answers is a quote that the verifier checks.
 */

/** Bytes of the length before each message. */
export const QGS_FRAME_BYTES = 4;
/** A quote has some 5 KiB, and its certification data may be larger. */
const QGS_MAX_MESSAGE = 0x2_0000;

const MAJOR = 1;
const MINOR = 1;
const GET_QUOTE_REQUEST = 0;
const GET_QUOTE_RESPONSE = 1;
const HEADER_BYTES = 16;
const GET_QUOTE_BYTES = HEADER_BYTES + 8;

/** GET_QUOTE_REQ with its length: for one report, by whatever attestation key the service has. */
export function encodeQuoteRequest(report: Uint8Array): Uint8Array {
  const size = GET_QUOTE_BYTES + report.length;
  return concatBytes(
    u32be(size),
    u16le(MAJOR),
    u16le(MINOR),
    u32le(GET_QUOTE_REQUEST),
    u32le(size),
    u32le(0),
    u32le(report.length),
    u32le(0),
    report,
  );
}

/** How many bytes follow. Throws EVIDENCE_RESPONSE. */
export function messageLength(frame: Uint8Array): number {
  const length = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0);
  if (length < HEADER_BYTES || length > QGS_MAX_MESSAGE) throw malformed(`a message of ${length} bytes`);
  return length;
}

/** The quote of GET_QUOTE_RESP, without its length. Throws EVIDENCE_REFUSED, EVIDENCE_RESPONSE. */
export function readQuoteResponse(message: Uint8Array): Uint8Array {
  const reader = new ByteReader(message);
  const major = reader.u16le();
  reader.u16le();
  const [type, size, error] = [reader.u32le(), reader.u32le(), reader.u32le()];
  if (major !== MAJOR) throw malformed(`version ${major}`);
  if (type !== GET_QUOTE_RESPONSE) throw malformed(`a message of type ${type}`);
  if (size !== message.length) throw malformed(`${size} bytes in a message of ${message.length}`);
  if (error !== 0) {
    throw new FastnessError(
      'EVIDENCE_REFUSED',
      `The quote generation service answers with error 0x${error.toString(16)}.`,
    );
  }
  if (message.length < GET_QUOTE_BYTES) throw malformed('no quote');
  const [idBytes, quoteBytes] = [reader.u32le(), reader.u32le()];
  if (quoteBytes === 0 || GET_QUOTE_BYTES + idBytes + quoteBytes !== message.length)
    throw malformed(`a quote of ${quoteBytes} bytes in a message of ${message.length}`);
  return message.slice(GET_QUOTE_BYTES + idBytes);
}

function malformed(what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `The quote generation service sent ${what}.`);
}
