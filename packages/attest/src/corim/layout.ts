/** Numbers of the CoRIM data model. Sections of draft-ietf-rats-corim are cited as its text of August 2026 counts them. */

/** Tags: of the manifest, of what it holds, and of the types in it (draft-ietf-rats-corim, section 11.2; RFC 8949, RFC 9090). */
export const corimTags = Object.freeze({
  epochTime: 1,
  sign1: 18,
  uri: 32,
  uuid: 37,
  oid: 111,
  unsignedCorim: 501,
  comid: 506,
  ueid: 550,
  svn: 552,
  minimumSvn: 553,
  bytes: 560,
  maskedRawValue: 563,
  integerRange: 564,
} as const);

/** The only content of a signed manifest. */
export const CORIM_CONTENT_TYPE = 'application/rim+cbor';

/** Bytes of a manifest. The largest recorded one has 3; a vendor's manifest for a fleet has one key for each device. */
export const MAX_CORIM_BYTES = 1 << 20;
/** Tags in a manifest. */
export const MAX_COMIDS = 64;
/** Entries of one list in it: triples, measurements, keys. */
export const MAX_ENTRIES = 8192;
/** Pinned keys that are tried, as a manifest does not have to say which signed it. */
export const MAX_SIGNERS = 16;

/** Levels: manifest, tags, and in each CoMID map, triples, record, measurements, values, digests, digest. */
export const corimLimits = Object.freeze({ maxBytes: MAX_CORIM_BYTES, maxDepth: 16, maxItems: 1 << 17 });

/** Hash functions by number (IANA Named Information Hash Algorithm Registry), and the length of their values. */
export const namedHashes: ReadonlyMap<number, readonly [name: string, bytes: number]> = new Map([
  [1, ['sha-256', 32]],
  [7, ['sha-384', 48]],
  [8, ['sha-512', 64]],
  [9, ['sha3-224', 28]],
  [10, ['sha3-256', 32]],
  [11, ['sha3-384', 48]],
  [12, ['sha3-512', 64]],
]);
