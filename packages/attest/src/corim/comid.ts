import { decodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { toHex } from '@fastness/codec';
import { readEnvironment } from './environment.ts';
import { corimError, isList, readCount, readList, readMap } from './fields.ts';
import { readKeys } from './keys.ts';
import { corimLimits } from './layout.ts';
import { readMeasurement } from './measurement.ts';
import type { Comid, CorimKeyTriple, CorimValueTriple } from './types.ts';

/** Kinds of triples that only add claims to what was accepted anyway; leaving them out accepts nothing more. */
const unreadKinds: ReadonlyMap<number, string> = new Map([
  [4, 'dependency'],
  [5, 'membership'],
  [6, 'coswid'],
  [8, 'conditional-endorsement-series'],
  [10, 'conditional-endorsement'],
  [50, 'psa-software-relation'],
]);

/**
 * Reads a concise-mid-tag (draft-ietf-rats-corim, section 5.1). Links to other tags are refused: they could say that this one
 * is replaced. Languages and entities are not read.
 * @throws CORIM_MAP, CORIM_TAG_UNSUPPORTED, CORIM_TRIPLE and what its parts throw; CODEC_*
 */
export function readComid(bytes: Uint8Array): Comid {
  const value = decodeCbor(bytes, { keyOrder: 'any', limits: corimLimits });
  const map = readMap(value, [0, 1, 2, 3, 4], 'CORIM_MAP', 'A CoMID');
  if (map.has(3)) throw corimError('CORIM_TAG_UNSUPPORTED', 'A CoMID with linked tags.');
  const identity = readMap(map.get(1), [0, 1], 'CORIM_MAP', 'The identity of a CoMID');
  const triples = readMap(map.get(4), [0, 1, 2, 3, ...unreadKinds.keys()], 'CORIM_TRIPLE', 'The triples');
  if (triples.size === 0) throw corimError('CORIM_TRIPLE', 'A CoMID without triples.');
  return Object.freeze({
    id: readTagId(identity.get(0)),
    version: identity.has(1) ? readCount(identity.get(1), 'CORIM_MAP', 'The version of a CoMID') : 0,
    references: readTriples(triples, 0, readValueTriple),
    endorsed: readTriples(triples, 1, readValueTriple),
    identityKeys: readTriples(triples, 2, readKeyTriple),
    attestKeys: readTriples(triples, 3, readKeyTriple),
    unread: Object.freeze([...unreadKinds].filter(([kind]) => triples.has(kind)).map(([, name]) => name)),
  });
}

/** Text, or a UUID without its tag. */
export function readTagId(value: CborValue | undefined): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= 256) return value;
  if (value instanceof Uint8Array && value.length === 16) return toHex(value);
  throw corimError('CORIM_MAP', 'An identifier must be text or a UUID.');
}

function readTriples<T>(triples: CborMap, kind: number, readOne: (record: readonly CborValue[]) => T): readonly T[] {
  if (!triples.has(kind)) return Object.freeze([]);
  const records = readList(triples.get(kind), 'CORIM_TRIPLE', 'Triples');
  return Object.freeze(
    records.map((record) => {
      if (!isList(record)) throw corimError('CORIM_TRIPLE', 'A triple must be a list.');
      return readOne(record);
    }),
  );
}

function readValueTriple(record: readonly CborValue[]): CorimValueTriple {
  if (record.length !== 2) throw corimError('CORIM_TRIPLE', 'Values need an environment and measurements.');
  const environment = readEnvironment(record[0]);
  const measurements = readList(record[1], 'CORIM_TRIPLE', 'Measurements').map((each) => readMeasurement(each));
  return Object.freeze({ environment, measurements: Object.freeze(measurements) });
}

function readKeyTriple(record: readonly CborValue[]): CorimKeyTriple {
  if (record.length !== 2 && record.length !== 3) {
    throw corimError('CORIM_TRIPLE', 'Keys need an environment, and may have conditions.');
  }
  return Object.freeze({
    environment: readEnvironment(record[0]),
    keys: readKeys(record[1]),
    conditional: record.length === 3,
  });
}
