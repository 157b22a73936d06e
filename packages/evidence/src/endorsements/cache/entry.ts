import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import type { EndorsementItem } from '../types.ts';

/**
 * A file of the cache: one byte that says how it is sealed, 32 bytes of seal, then the item as CBOR. The seal is a digest,
 * which finds damage cheaply, or under a key an HMAC, which whoever can write to the directory cannot make. Neither takes
 * the place of the vendor's signature: that is verified on every read.
 */
const VERSION = 1;
const DIGEST = 0x44;
const HMAC = 0x4d;
const SEAL_BYTES = 33;
/** The largest item is a revocation list of 4 MiB. */
const MAX_ENTRY = 8 << 20;
const MAX_CHAIN = 8;

/** Keys of the map. */
const member = Object.freeze({
  version: 0,
  subject: 1,
  mediaType: 2,
  source: 3,
  fetchedAt: 4,
  body: 5,
  issuerChain: 6,
});

export function encodeEntry(item: EndorsementItem, key: Uint8Array | undefined): Uint8Array {
  const content = encodeCbor(
    new Map<number, CborValue>([
      [member.version, VERSION],
      [member.subject, item.subject],
      [member.mediaType, item.mediaType],
      [member.source, item.source],
      [member.fetchedAt, item.fetchedAt.getTime()],
      [member.body, item.body],
      [member.issuerChain, item.issuerChain],
    ]),
  );
  const entry = new Uint8Array(SEAL_BYTES + content.length);
  entry[0] = key === undefined ? DIGEST : HMAC;
  entry.set(sealOf(content, key), 1);
  entry.set(content, SEAL_BYTES);
  return entry;
}

/** The item; undefined for anything that is not an undamaged entry about `subject`. With a key, only what it sealed counts. */
export function decodeEntry(
  entry: Uint8Array,
  subject: string,
  key: Uint8Array | undefined,
): EndorsementItem | undefined {
  if (entry.length < SEAL_BYTES || entry.length > MAX_ENTRY) return undefined;
  if (entry[0] !== (key === undefined ? DIGEST : HMAC)) return undefined;
  const content = entry.subarray(SEAL_BYTES);
  if (!timingSafeEqual(sealOf(content, key), entry.subarray(1, SEAL_BYTES))) return undefined;
  try {
    return itemOf(decodeCbor(content, { limits: { maxBytes: MAX_ENTRY, maxDepth: 3, maxItems: 64 } }), subject);
  } catch {
    return undefined;
  }
}

function itemOf(value: CborValue, subject: string): EndorsementItem | undefined {
  if (!(value instanceof Map)) return undefined;
  const map: CborMap = value;
  const text = (key: number): string | undefined => {
    const found = map.get(key);
    return typeof found === 'string' ? found : undefined;
  };
  const mediaType = text(member.mediaType);
  const source = text(member.source);
  const fetchedAt = map.get(member.fetchedAt);
  const body = map.get(member.body);
  const chain: unknown = map.get(member.issuerChain);
  if (map.get(member.version) !== VERSION || text(member.subject) !== subject) return undefined;
  if (mediaType === undefined || source === undefined || !(body instanceof Uint8Array)) return undefined;
  if (typeof fetchedAt !== 'number' || !Array.isArray(chain) || chain.length > MAX_CHAIN) return undefined;
  const issuerChain = chain.filter((der: unknown) => der instanceof Uint8Array);
  if (issuerChain.length !== chain.length) return undefined;
  return Object.freeze({ subject, mediaType, source, fetchedAt: new Date(fetchedAt), body, issuerChain });
}

/** 32 bytes. The label keeps the key from meaning anything else. */
export function sealOf(content: Uint8Array, key: Uint8Array | undefined): Uint8Array {
  const hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
  return hash.update('fastness/endorsement-cache/v1\0').update(content).digest();
}
