import { createHash } from 'node:crypto';
import {
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  toBase64Url,
  toHex,
  utf8Decode,
  utf8Encode,
} from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { nextHistory, type AnchorReading } from './anchor.ts';

/** Ties content to one step of an anchor. */
export interface FreshnessRecord {
  /** `FreshnessAnchor.identity`. */
  readonly anchor: string;
  /** Where the anchor stood before this step. */
  readonly from: AnchorReading;
  /** What the state says of itself: small, and not secret unless the seal encrypts. */
  readonly content: Uint8Array;
}

/** How records are kept from being made up: `protect` signs or encrypts, `open` undoes it or throws. */
export interface RecordSeal {
  protect(record: Uint8Array): Promise<Uint8Array>;
  open(sealed: Uint8Array): Promise<Uint8Array>;
}

/** Bytes of a sealed record that are read. */
export const MAX_RECORD_BYTES = 256 * 1024;
const MAX_CONTENT_BYTES = 64 * 1024;

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({
  format: z.literal('fastness/freshness/v1'),
  anchor: hex32,
  value: z.string().regex(/^(?:0|[1-9]\d{0,19})$/),
  history: hex32,
  content: z.string().max(2 * MAX_CONTENT_BYTES),
});
const label = utf8Encode('fastness/freshness-record/v1\n');

export async function encodeRecord(record: FreshnessRecord, seal: RecordSeal): Promise<Uint8Array> {
  if (record.content.length > MAX_CONTENT_BYTES) {
    throw new FastnessError('FRESHNESS_CONFIG', `Content of ${record.content.length} bytes.`);
  }
  return await seal.protect(plainOf(record));
}

/** Throws FRESHNESS_RECORD_INVALID, FRESHNESS_SEALED. */
export async function decodeRecord(sealed: Uint8Array, seal: RecordSeal): Promise<FreshnessRecord> {
  try {
    const plain = await seal.open(sealed);
    const { anchor, value, history, content } = schema.parse(JSON.parse(utf8Decode(plain)));
    const record = {
      anchor,
      from: { value: BigInt(value), history: fromHex(history) },
      content: fromBase64Url(content),
    };
    // One spelling only: the digest is over these bytes.
    if (!equalBytes(plain, plainOf(record))) throw new FastnessError('CODEC_NOT_CANONICAL');
    return record;
  } catch (cause) {
    // Nobody tampered with it: what keeps its key does not give it out any more.
    if (cause instanceof FastnessError && cause.code === 'FRESHNESS_SEALED') throw cause;
    throw new FastnessError('FRESHNESS_RECORD_INVALID', undefined, { cause });
  }
}

/** What the anchor is advanced with. */
export function recordDigest(record: FreshnessRecord): Uint8Array {
  return new Uint8Array(createHash('sha256').update(label).update(plainOf(record)).digest());
}

/** Where the anchor stands once the step of a record is done. */
export function readingAfter(record: FreshnessRecord): AnchorReading {
  const { value, history } = record.from;
  return { value: value + 1n, history: nextHistory(history, recordDigest(record)) };
}

/** The number that the anchor reaches with an encoded record, for seals that depend on it. */
export function readingAfterOf(plain: Uint8Array): bigint {
  return BigInt(schema.parse(JSON.parse(utf8Decode(plain))).value) + 1n;
}

function plainOf({ anchor, from, content }: FreshnessRecord): Uint8Array {
  return utf8Encode(
    JSON.stringify({
      format: 'fastness/freshness/v1',
      anchor,
      value: from.value.toString(),
      history: toHex(from.history),
      content: toBase64Url(content),
    }),
  );
}

/** A seal that signs: the record stays readable, and nobody makes up another without the key. Ed25519, 64 bytes in front. */
export function signingSeal(options: {
  sign(message: Uint8Array): Promise<Uint8Array>;
  verify(message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}): RecordSeal {
  return {
    async protect(record) {
      const signature = await options.sign(concatBytes(label, record));
      return concatBytes(signature, record);
    },
    async open(sealed) {
      const record = sealed.subarray(64);
      if (sealed.length < 64 || !(await options.verify(concatBytes(label, record), sealed.subarray(0, 64)))) {
        throw new FastnessError('FRESHNESS_RECORD_INVALID', 'Its signature.');
      }
      return record;
    },
  };
}
