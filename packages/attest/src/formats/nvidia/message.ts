import { ByteReader } from '@fastness/codec';
import { failed, type Checklist } from '../../checks.ts';
import {
  DIGEST_BYTES,
  MAX_REPORT_BYTES,
  NONCE_BYTES,
  REQUEST_BYTES,
  REQUEST_HEADER,
  RESPONSE_HEADER,
  SIGNATURE_BYTES,
  type NvidiaKind,
} from './layout.ts';

/** The two SPDM messages of a report, cut into their parts. */
export interface SpdmMessages {
  /** The nonce of the request, which the device repeats under its signature. */
  readonly nonce: Uint8Array;
  /** SHA-384 digests by index as the reference documents count, from 0: block i + 1 of the record. */
  readonly measurements: ReadonlyMap<number, Uint8Array>;
  /** The measurement record as a whole. */
  readonly record: Uint8Array;
  /** Fields of the opaque data by number. */
  readonly opaque: ReadonlyMap<number, Uint8Array>;
  /** Everything before the signature, which is what it covers. */
  readonly signedPart: Uint8Array;
  readonly signature: Uint8Array;
}

const BLOCK_HEADER_BYTES = 7;
/** DMTF's form of a measurement. */
const DMTF = 1;
/** This bit of the value type says that the value is raw, not a digest. */
const RAW = 0x80;

/**
 * Reads request and response. The signature are the 96 bytes after the opaque data and the last of the report; one zero byte
 * may follow, which some collectors take over from the end of a C string.
 * Throws the NVIDIA_ code of the first field that is wrong, CODEC_TRUNCATED.
 */
export function readMessages(bytes: Uint8Array, kind: NvidiaKind, checks: Checklist): SpdmMessages {
  checks.require('NVIDIA_MESSAGE_SIZE', bytes.length <= MAX_REPORT_BYTES, {
    expected: `at most ${MAX_REPORT_BYTES} bytes`,
    actual: `${bytes.length}`,
  });
  const reader = new ByteReader(bytes);
  const request = new ByteReader(reader.take(REQUEST_BYTES));
  const requestHeader = request.take(REQUEST_HEADER.length);
  const nonce = request.take(NONCE_BYTES);
  const slot = request.u8();
  checks.require('NVIDIA_REQUEST', slot === 0 && startsAs(requestHeader, REQUEST_HEADER), {
    expected: `header ${REQUEST_HEADER.join(' ')}, slot 0`,
    actual: `header ${requestHeader.join(' ')}, slot ${slot}`,
  });

  const responseHeader = reader.take(RESPONSE_HEADER.length);
  checks.require('NVIDIA_RESPONSE', startsAs(responseHeader, RESPONSE_HEADER), {
    expected: `header ${RESPONSE_HEADER.join(' ')}`,
    actual: `header ${responseHeader.join(' ')}`,
  });
  const blocks = reader.u8();
  const record = reader.take(reader.u16le() + reader.u8() * 0x1_0000);
  const measurements = readRecord(record, blocks, checks);
  reader.take(NONCE_BYTES);
  const opaque = readOpaque(reader.take(reader.u16le()), kind, checks);
  const signedPart = bytes.subarray(0, reader.offset);
  const signature = reader.take(SIGNATURE_BYTES);
  const rest = reader.take(reader.remaining);
  checks.require('NVIDIA_TRAILING', rest.length === 0 || (rest.length === 1 && rest[0] === 0), {
    expected: 'nothing after the signature, or one zero byte',
    actual: `${rest.length} bytes`,
  });
  return { nonce, measurements, record, opaque, signedPart, signature };
}

/** Blocks of SHA-384 digests, each index once (DSP0274, table 53). */
function readRecord(record: Uint8Array, blocks: number, checks: Checklist): ReadonlyMap<number, Uint8Array> {
  const reader = new ByteReader(record);
  const measurements = new Map<number, Uint8Array>();
  while (reader.remaining > 0) {
    const index = reader.u8();
    const specification = reader.u8();
    const size = reader.u16le();
    const type = reader.u8();
    const valueSize = reader.u16le();
    const sound =
      index > 0 &&
      !measurements.has(index - 1) &&
      specification === DMTF &&
      size === BLOCK_HEADER_BYTES - 4 + valueSize &&
      (type & RAW) === 0 &&
      valueSize === DIGEST_BYTES;
    if (!sound) {
      throw failed('NVIDIA_MEASUREMENT_RECORD', {
        expected: 'blocks of SHA-384 digests, each index once, from 1',
        actual: `block ${index}, specification ${specification}, size ${size}, type ${type}, value of ${valueSize}`,
      });
    }
    measurements.set(index - 1, reader.take(valueSize));
  }
  checks.require('NVIDIA_MEASUREMENT_RECORD', blocks === measurements.size && blocks > 0, {
    expected: `${blocks} blocks, at least one`,
    actual: `${measurements.size}`,
  });
  return measurements;
}

function readOpaque(bytes: Uint8Array, kind: NvidiaKind, checks: Checklist): ReadonlyMap<number, Uint8Array> {
  const reader = new ByteReader(bytes);
  const fields = new Map<number, Uint8Array>();
  while (reader.remaining > 0) {
    const whole = reader.remaining >= 4;
    const id = whole ? reader.u16le() : 0;
    const size = whole ? reader.u16le() : 0;
    if (!whole || size > reader.remaining || fields.has(id)) {
      const actual = whole ? `field ${id} of ${size} bytes` : 'a field cut short';
      throw failed('NVIDIA_OPAQUE_FIELD', { expected: 'whole fields, each once', actual });
    }
    if (id < 1 || id > kind.maxOpaqueId) {
      throw failed('NVIDIA_OPAQUE_UNKNOWN', { expected: `fields 1 to ${kind.maxOpaqueId}`, actual: `field ${id}` });
    }
    fields.set(id, reader.take(size));
  }
  const actual = `${fields.size} fields`;
  checks.require('NVIDIA_OPAQUE_FIELD', true, { expected: 'whole fields, each once', actual });
  checks.require('NVIDIA_OPAQUE_UNKNOWN', true, { expected: `fields 1 to ${kind.maxOpaqueId}`, actual });
  return fields;
}

function startsAs(bytes: Uint8Array, header: readonly number[]): boolean {
  return header.every((byte, index) => bytes[index] === byte);
}
