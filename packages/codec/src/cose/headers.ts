import { decodeCbor, encodeCbor, type CborKey, type CborMap, type CborValue } from '../cbor/index.ts';
import { FastnessError } from '../errors/index.ts';

/** Labels of common COSE header parameters (RFC 9052, section 3.1; RFC 9596 for `typ`). */
export const coseHeaders = Object.freeze({ algorithm: 1, critical: 2, contentType: 3, keyId: 4, type: 16 } as const);

/** Reads the bytes of a protected header: a non-empty map, or no bytes at all. */
export function decodeProtected(bytes: Uint8Array): CborMap {
  if (bytes.length === 0) return new Map();
  const value = decodeCbor(bytes, { keyOrder: 'any' });
  if (!(value instanceof Map)) throw new FastnessError('COSE_HEADER', 'The protected header is not a map.');
  // RFC 9052, section 3: an empty map is written as an empty byte string, so that the signed bytes are one.
  if (value.size === 0) throw new FastnessError('CODEC_NOT_CANONICAL', 'An empty protected header that is not empty.');
  return value;
}

/** Writes a protected header, deterministically. */
export function encodeProtected(header: CborMap): Uint8Array<ArrayBuffer> {
  return header.size === 0 ? new Uint8Array() : encodeCbor(header);
}

/**
 * Applies the rules that hold whatever the algorithm is: no label in both headers, the algorithm protected, nothing
 * critical that is unknown.
 * @throws COSE_HEADER, COSE_CRITICAL
 */
export function checkHeaders(protectedHeader: CborMap, unprotected: CborMap): void {
  for (const label of unprotected.keys()) {
    if (protectedHeader.has(label)) throw new FastnessError('COSE_HEADER', `Label ${label} is in both headers.`);
  }
  if (unprotected.has(coseHeaders.critical)) throw new FastnessError('COSE_HEADER', '"crit" is not protected.');
  if (unprotected.has(coseHeaders.algorithm)) throw new FastnessError('COSE_HEADER', 'The algorithm is not protected.');
  const critical = protectedHeader.get(coseHeaders.critical);
  if (critical === undefined) return;
  const labels = criticalLabels(critical);
  if (labels.some((label) => !protectedHeader.has(label))) {
    throw new FastnessError('COSE_HEADER', '"crit" names an absent parameter.');
  }
  const known: readonly CborKey[] = Object.values(coseHeaders);
  const unknown = labels.filter((label) => !known.includes(label));
  if (unknown.length > 0) throw new FastnessError('COSE_CRITICAL', `Labels ${unknown.join(', ')}.`);
}

function criticalLabels(value: CborValue): CborKey[] {
  if (!Array.isArray(value) || value.length === 0) throw new FastnessError('COSE_HEADER', '"crit" is not a list.');
  return (value as readonly CborValue[]).map((label) => {
    if (typeof label !== 'number' && typeof label !== 'string') throw new FastnessError('COSE_HEADER', '"crit" label.');
    return label;
  });
}
