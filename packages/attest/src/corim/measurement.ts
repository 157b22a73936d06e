import { CborTag, type CborValue } from '@fastness/codec/cbor';
import { readIdentifier } from './environment.ts';
import { corimError, isList, readBytes, readList, readMap, readText } from './fields.ts';
import { readKeys } from './keys.ts';
import { corimTags, namedHashes } from './layout.ts';
import type { CorimDigest, CorimMeasurement, CorimValues } from './types.ts';

const CODE = 'CORIM_MEASUREMENT';

/** Reads a measurement-map (draft-ietf-rats-corim, section 5.1.4.5). @throws CORIM_MEASUREMENT, CORIM_DIGESTS, CORIM_KEY */
export function readMeasurement(value: CborValue): CorimMeasurement {
  const map = readMap(value, [0, 1, 2], CODE, 'A measurement');
  return Object.freeze({
    ...(map.has(0) ? { key: readMeasurementKey(map.get(0)) } : {}),
    values: readValues(map.get(1)),
    authorized: map.has(2),
  });
}

function readMeasurementKey(value: CborValue | undefined): NonNullable<CorimMeasurement['key']> {
  if (typeof value === 'string' && value.length <= 256) return value;
  if (typeof value === 'number' && value >= 0) return value;
  if (value instanceof CborTag && (value.tag === corimTags.oid || value.tag === corimTags.uuid)) {
    return readIdentifier(value, ['oid', 'uuid']);
  }
  throw corimError(CODE, 'The key of a measurement must be text, an unsigned integer, an OID or a UUID.');
}

/** Keys of a measurement-values-map that are read; what a profile makes of the others is its own affair. */
const VERSION = 0;
const DIGESTS = 2;
const RAW_VALUE = 4;
const RAW_VALUE_MASK = 5;
const NAME = 11;
const CRYPTO_KEYS = 13;
const INTEGER = 15;
const read = new Set<unknown>([VERSION, DIGESTS, RAW_VALUE, RAW_VALUE_MASK, NAME, CRYPTO_KEYS, INTEGER]);

function readValues(value: CborValue | undefined): CorimValues {
  if (!(value instanceof Map) || value.size === 0) throw corimError(CODE, 'A measurement has no values.');
  const map = readMap(value, [...value.keys()], CODE, 'The values');
  if (map.has(RAW_VALUE_MASK) && !map.has(RAW_VALUE)) throw corimError(CODE, 'A mask without a raw value.');
  const integer = map.get(INTEGER);
  const plainInteger = typeof integer === 'number';
  return Object.freeze({
    ...(map.has(VERSION) ? { version: readVersion(map.get(VERSION)) } : {}),
    ...(map.has(DIGESTS) ? { digests: readDigests(map.get(DIGESTS)) } : {}),
    ...(map.has(RAW_VALUE) ? { rawValue: readRawValue(map.get(RAW_VALUE), map.get(RAW_VALUE_MASK)) } : {}),
    ...(map.has(NAME) ? { name: readText(map.get(NAME), CODE, 'The name') } : {}),
    ...(map.has(CRYPTO_KEYS) ? { keys: readKeys(map.get(CRYPTO_KEYS)) } : {}),
    ...(plainInteger ? { integer } : {}),
    others: new Map([...map].filter(([key]) => !read.has(key) || (key === INTEGER && !plainInteger))),
  });
}

function readVersion(value: CborValue | undefined): NonNullable<CorimValues['version']> {
  const map = readMap(value, [0, 1], CODE, 'A version');
  const text = readText(map.get(0), CODE, 'The version');
  const scheme = map.get(1);
  return Object.freeze({ text, ...(scheme === undefined ? {} : { scheme }) });
}

/** One object under one or more hash functions, each once (section 7.7). @throws CORIM_DIGESTS */
export function readDigests(value: CborValue | undefined): readonly CorimDigest[] {
  const digests = readList(value, 'CORIM_DIGESTS', 'Digests', 16).map((entry) => readDigest(entry));
  if (new Set(digests.map(({ algorithm }) => algorithm)).size !== digests.length) {
    throw corimError('CORIM_DIGESTS', 'An algorithm is named twice.');
  }
  return Object.freeze(digests);
}

/** `[algorithm, value]`, the algorithm by number or by name. @throws CORIM_DIGESTS */
export function readDigest(entry: CborValue): CorimDigest {
  const [algorithm, value] = isList(entry) && entry.length === 2 ? entry : [];
  const known = [...namedHashes].find(([number, [name]]) => algorithm === number || algorithm === name);
  if (known === undefined) throw corimError('CORIM_DIGESTS', 'A digest must be a known algorithm and a value.');
  const [, [name, length]] = known;
  const bytes = readBytes(value, 'CORIM_DIGESTS', 'The value of a digest');
  if (bytes.length !== length) throw corimError('CORIM_DIGESTS', `${name} has ${length} bytes, not ${bytes.length}.`);
  return Object.freeze({ algorithm: name, value: bytes });
}

/** Bytes, or bytes with a mask; the mask beside the value is the older form. */
function readRawValue(
  value: CborValue | undefined,
  oldMask: CborValue | undefined,
): NonNullable<CorimValues['rawValue']> {
  const tag = value instanceof CborTag ? value.tag : undefined;
  const content = value instanceof CborTag ? value.value : undefined;
  let [bytes, mask]: readonly (CborValue | undefined)[] = [content, oldMask];
  if (tag === corimTags.maskedRawValue && isList(content) && content.length === 2 && oldMask === undefined) {
    [bytes, mask] = content;
  } else if (tag !== corimTags.bytes)
    throw corimError('CORIM_RAW_VALUE', 'A raw value must be bytes, or bytes and a mask.');
  const result = readBytes(bytes, 'CORIM_RAW_VALUE', 'A raw value');
  if (result.length === 0 || result.length > 4096)
    throw corimError('CORIM_RAW_VALUE', 'A raw value is empty or too long.');
  if (mask === undefined) return Object.freeze({ value: result });
  const bits = readBytes(mask, 'CORIM_RAW_VALUE', 'A mask');
  if (bits.length !== result.length) throw corimError('CORIM_RAW_VALUE', 'A mask and its value differ in length.');
  return Object.freeze({ value: result, mask: bits });
}
