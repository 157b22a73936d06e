import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { FastnessError } from '@fastness/codec/errors';
import { checkCmw, cmwFromJson, cmwToJson, type Cmw, type CmwJson } from './cmw.ts';

/** A conceptual message wrapper, collection form (RFC 9999, section 3.3): records by label. */
export interface CmwCollection {
  /** What the labels mean: a URI or an OID. Absent: nobody says. */
  readonly type?: string;
  readonly records: ReadonlyMap<string, Cmw>;
}

/** JSON form of a collection: an object of records by label, with the collection's type under `__cmwc_t`. */
export type CmwCollectionJson = Readonly<Record<string, string | CmwJson>>;

/** Type of collections of evidence whose labels are those of `verifyEvidence`: cpu0, gpu0, nvswitch0, tpm0, ... */
export const EVIDENCE_COLLECTION_TYPE = 'tag:fastness.dev,2026:evidence#1';

/** Records that a collection may have: eight GPUs, four switches and what belongs to the processor are fourteen. */
export const CMW_MAX_RECORDS = 32;
/** Bytes that the values of a collection may have together. */
export const CMW_MAX_COLLECTION = 4 << 20;

/** The reserved label. */
const TYPE_LABEL = '__cmwc_t';
const MAX_TYPE = 256;
// Text that is the same label in every language and case, and no name that objects of JavaScript come with.
const label = /^[a-z][a-z0-9.-]{0,63}$/;

export function isCmwCollection(value: Cmw | CmwCollection): value is CmwCollection {
  return typeof value === 'object' && value !== null && 'records' in value;
}

export function cmwCollectionToJson(collection: CmwCollection): CmwCollectionJson {
  const { type, records } = checkCmwCollection(collection);
  const members = [...records].map(([name, record]) => [name, cmwToJson(record)] as const);
  return Object.fromEntries<string | CmwJson>([
    ...(type === undefined ? [] : [[TYPE_LABEL, type] as const]),
    ...members,
  ]);
}

/**
 * Reads the JSON form. The subset of the RFC: records only (a collection inside a collection is refused, as are the tunnels
 * between JSON and CBOR), labels of lower-case letters, digits, dots and hyphens.
 * Throws CMW_MALFORMED, CMW_TOO_LARGE.
 */
export function cmwCollectionFromJson(json: unknown): CmwCollection {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed('not an object of records');
  const members = new Map<string, unknown>(Object.entries(json));
  const entries = [...members].filter(([name]) => name !== TYPE_LABEL);
  requireCount(entries.length);
  return build(
    members.get(TYPE_LABEL),
    entries.map(([name, record]) => [name, () => cmwFromJson(record)]),
  );
}

/** Reads the JSON form of either, as evidence comes: a list is a record, an object a collection. Throws CMW_MALFORMED, CMW_TOO_LARGE. */
export function evidenceFromJson(json: unknown): Cmw | CmwCollection {
  return Array.isArray(json) ? cmwFromJson(json) : cmwCollectionFromJson(json);
}

/** The JSON form of either. */
export function evidenceToJson(evidence: Cmw | CmwCollection): CmwJson | CmwCollectionJson {
  return isCmwCollection(evidence) ? cmwCollectionToJson(evidence) : cmwToJson(evidence);
}

/** The CBOR form of a record: the array [media type, bytes, ? indicator]. */
export function cmwToCbor(cmw: Cmw): Uint8Array<ArrayBuffer> {
  return encodeCbor(recordOf(cmw));
}

/** Reads the CBOR form of a record. Throws CMW_MALFORMED, CMW_TOO_LARGE and CODEC errors. Tags and numbers of content formats are not read. */
export function cmwFromCbor(bytes: Uint8Array): Cmw {
  return recordFrom(decode(bytes));
}

/** The CBOR form of a collection: a map of records by label. */
export function cmwCollectionToCbor(collection: CmwCollection): Uint8Array<ArrayBuffer> {
  const { type, records } = checkCmwCollection(collection);
  const map = new Map<string, CborValue>([...records].map(([name, record]) => [name, recordOf(record)]));
  if (type !== undefined) map.set(TYPE_LABEL, type);
  return encodeCbor(map);
}

/** Reads the CBOR form of a collection, with the subset of {@link cmwCollectionFromJson}; labels that are numbers are refused. */
export function cmwCollectionFromCbor(bytes: Uint8Array): CmwCollection {
  const value = decode(bytes);
  if (!(value instanceof Map)) throw malformed('not a map of records');
  const map: CborMap = value;
  const entries = [...map].filter(([name]) => name !== TYPE_LABEL);
  requireCount(entries.length);
  return build(
    map.get(TYPE_LABEL),
    entries.map(([name, record]) => [name, () => recordFrom(record)]),
  );
}

/** Returns the collection when labels, records and sizes are in range; throws otherwise. */
export function checkCmwCollection(collection: CmwCollection): CmwCollection {
  const { type, records } = collection;
  if (!(records instanceof Map)) throw malformed('the records are not a map');
  if (type !== undefined && !(typeof type === 'string' && type.length > 0 && type.length <= MAX_TYPE))
    throw malformed(`${TYPE_LABEL} must be text of 1 to ${MAX_TYPE} characters`);
  requireCount(records.size);
  let total = 0;
  for (const [name, record] of records) {
    requireLabel(name);
    total += checkCmw(record).value.length;
  }
  if (total > CMW_MAX_COLLECTION)
    throw new FastnessError('CMW_TOO_LARGE', `${total} bytes in all; at most ${CMW_MAX_COLLECTION}.`);
  return collection;
}

function build(type: unknown, entries: readonly (readonly [unknown, () => Cmw])[]): CmwCollection {
  if (type !== undefined && typeof type !== 'string') throw malformed(`${TYPE_LABEL} must be text`);
  const records = new Map(entries.map(([name, read]) => [requireLabel(name), read()]));
  return checkCmwCollection({ ...(type === undefined ? {} : { type }), records });
}

function requireLabel(name: unknown): string {
  if (typeof name === 'string' && label.test(name)) return name;
  throw malformed('a label is not 1 to 64 lower-case letters, digits, dots and hyphens');
}

function requireCount(count: number): void {
  if (count === 0) throw malformed('no record');
  if (count > CMW_MAX_RECORDS)
    throw new FastnessError('CMW_TOO_LARGE', `${count} records; at most ${CMW_MAX_RECORDS}.`);
}

function recordOf(cmw: Cmw): CborValue[] {
  const { type, value, ind } = checkCmw(cmw);
  return ind === undefined ? [type, value] : [type, value, ind];
}

function recordFrom(value: CborValue): Cmw {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3)
    throw malformed('not a record of two or three members');
  const [type, bytes, ind] = value as readonly CborValue[];
  if (typeof type !== 'string' || !(bytes instanceof Uint8Array)) throw malformed('type must be text and value bytes');
  if (value.length === 3 && typeof ind !== 'number') throw malformed('the indicator must be a number');
  return checkCmw({ type, value: bytes, ...(typeof ind === 'number' ? { ind } : {}) });
}

function decode(bytes: Uint8Array): CborValue {
  const maxBytes = CMW_MAX_COLLECTION + 65_536;
  if (bytes.length > maxBytes) throw new FastnessError('CMW_TOO_LARGE', `${bytes.length} bytes; at most ${maxBytes}.`);
  // Other writers keep the order in which labels were added.
  return decodeCbor(bytes, { limits: { maxBytes, maxDepth: 3, maxItems: 256 }, keyOrder: 'any' });
}

function malformed(why: string): FastnessError {
  return new FastnessError('CMW_MALFORMED', why);
}
