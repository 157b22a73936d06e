import { CborTag, type CborValue } from '@fastness/codec/cbor';
import { corimError, readBytes, readCount, readMap, readText } from './fields.ts';
import { corimTags } from './layout.ts';
import type { CorimEnvironment, CorimIdentifier } from './types.ts';

const CODE = 'CORIM_ENVIRONMENT';

const identifierKinds: ReadonlyMap<number, CorimIdentifier['kind']> = new Map([
  [corimTags.oid, 'oid'],
  [corimTags.uuid, 'uuid'],
  [corimTags.bytes, 'bytes'],
  [corimTags.ueid, 'ueid'],
  ...[554, 555, 557, 558, 559, 562].map((tag) => [tag, 'key'] as const),
]);
const lengths: Readonly<Record<CorimIdentifier['kind'], readonly [least: number, most: number]>> = {
  oid: [1, 64],
  uuid: [16, 16],
  bytes: [1, 256],
  ueid: [7, 33],
  key: [0, 0],
};

/** Reads an environment-map (draft-ietf-rats-corim, section 5.1.4.1). @throws CORIM_ENVIRONMENT */
export function readEnvironment(value: CborValue | undefined): CorimEnvironment {
  const map = readMap(value, [0, 1, 2], CODE, 'An environment');
  if (map.size === 0) throw corimError(CODE, 'An environment is empty.');
  const environment: { -readonly [Key in keyof CorimEnvironment]: CorimEnvironment[Key] } = {};
  if (map.has(0)) environment.class = readClass(map.get(0));
  if (map.has(1)) environment.instance = readIdentifier(map.get(1), ['ueid', 'uuid', 'bytes', 'key']);
  if (map.has(2)) environment.group = readIdentifier(map.get(2), ['uuid', 'bytes']);
  return Object.freeze(environment);
}

function readClass(value: CborValue | undefined): NonNullable<CorimEnvironment['class']> {
  const map = readMap(value, [0, 1, 2, 3, 4], CODE, 'A class');
  if (map.size === 0) throw corimError(CODE, 'A class is empty.');
  return Object.freeze({
    ...(map.has(0) ? { id: readIdentifier(map.get(0), ['oid', 'uuid', 'bytes']) } : {}),
    ...(map.has(1) ? { vendor: readText(map.get(1), CODE, 'The vendor') } : {}),
    ...(map.has(2) ? { model: readText(map.get(2), CODE, 'The model') } : {}),
    ...(map.has(3) ? { layer: readCount(map.get(3), CODE, 'The layer') } : {}),
    ...(map.has(4) ? { index: readCount(map.get(4), CODE, 'The index') } : {}),
  });
}

/** Reads a tagged identifier of one of these kinds. @throws CORIM_ENVIRONMENT */
export function readIdentifier(
  value: CborValue | undefined,
  kinds: readonly CorimIdentifier['kind'][],
): CorimIdentifier {
  const kind = value instanceof CborTag ? identifierKinds.get(value.tag) : undefined;
  if (!(value instanceof CborTag) || kind === undefined || !kinds.includes(kind)) {
    throw corimError(CODE, `An identifier must be ${kinds.join(' or ')}.`);
  }
  if (kind === 'key') return Object.freeze({ kind, value: new Uint8Array() });
  const bytes = readBytes(value.value, CODE, `An identifier of kind ${kind}`);
  const [least, most] = lengths[kind];
  if (bytes.length < least || bytes.length > most) {
    throw corimError(CODE, `An identifier of kind ${kind} has ${least} to ${most} bytes, not ${bytes.length}.`);
  }
  return Object.freeze({ kind, value: bytes });
}
