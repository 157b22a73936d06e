import { concatBytes } from '@fastness/codec';
import { decodeCbor, type CborMap } from '@fastness/codec/cbor';
import { der } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { fieldBytes, parseSpki, type CurveName, type KeyHolder } from '@fastness/codec/x509';
import { armLimits } from '../arm/message.ts';
import type { RealmKeyForm } from './layout.ts';

/** Curves by their number in COSE_Key, with the algorithm that goes with each (RFC 9053, sections 2.1 and 7.1). */
const curves = [
  { number: 1, curve: 'P-256', oid: '1.2.840.10045.3.1.7', algorithm: -7 },
  { number: 2, curve: 'P-384', oid: '1.3.132.0.34', algorithm: -35 },
  { number: 3, curve: 'P-521', oid: '1.3.132.0.35', algorithm: -36 },
] as const satisfies readonly { number: number; curve: CurveName; oid: string; algorithm: number }[];
type Curve = (typeof curves)[number];

const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const UNCOMPRESSED = 0x04;
/** Labels of COSE_Key (RFC 9052, section 7.1; RFC 9053, section 7.1.1), its key type EC2 and its operation "verify". */
const [KTY, ALG, KEY_OPS, CRV, X, Y] = [1, 3, 4, -1, -2, -3];
const EC2 = 2;
const VERIFY = 2;

/**
 * Reads the key of a realm in the form of its profile: an uncompressed point (SEC 1), or a COSE_Key of type EC2 with both
 * coordinates in full. Whether the point lies on its curve is checked when the key is used. Undefined: it is no such key.
 */
export function readRealmKey(bytes: Uint8Array, form: RealmKeyForm): KeyHolder | undefined {
  return form === 'point' ? readPoint(bytes) : readCoseKey(bytes);
}

function readPoint(bytes: Uint8Array): KeyHolder | undefined {
  const found = curves.find(({ curve }) => bytes.length === 1 + 2 * fieldBytes[curve]);
  return found === undefined || bytes[0] !== UNCOMPRESSED ? undefined : holderOf(found, bytes);
}

function readCoseKey(bytes: Uint8Array): KeyHolder | undefined {
  const map = readMap(bytes);
  const found = curves.find(({ number }) => map?.get(CRV) === number);
  const [x, y] = [map?.get(X), map?.get(Y)];
  if (map?.get(KTY) !== EC2 || found === undefined) return undefined;
  if (!(x instanceof Uint8Array) || !(y instanceof Uint8Array)) return undefined;
  const length = fieldBytes[found.curve];
  if (x.length !== length || y.length !== length) return undefined;
  const [algorithm, operations] = [map.get(ALG), map.get(KEY_OPS)];
  if (algorithm !== undefined && algorithm !== found.algorithm) return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes(VERIFY))) return undefined;
  return holderOf(found, concatBytes(Uint8Array.of(UNCOMPRESSED), x, y));
}

function readMap(bytes: Uint8Array): CborMap | undefined {
  try {
    const value = decodeCbor(bytes, { keyOrder: 'any', integers: 'any', limits: armLimits });
    return value instanceof Map ? (value as CborMap) : undefined;
  } catch (error) {
    if (error instanceof FastnessError) return undefined;
    throw error;
  }
}

function holderOf({ oid }: Curve, point: Uint8Array): KeyHolder {
  return parseSpki(der.sequence(der.sequence(der.oid(EC_PUBLIC_KEY), der.oid(oid)), der.bitString(point)));
}
