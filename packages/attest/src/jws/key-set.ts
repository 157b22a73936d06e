import { concatBytes, equalBytes, fromBase64Url } from '@fastness/codec';
import { der } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { fieldBytes, parseSpki, type Certificate, type KeyHolder } from '@fastness/codec/x509';
import { Checklist } from '../checks.ts';
import { readX5c } from './compact.ts';
import { isJsonObject, parseJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** One public key of a set. */
export interface Jwk {
  readonly keyId: string;
  readonly holder: KeyHolder;
  /** The one algorithm that the key says it is for. */
  readonly algorithm?: string;
  /** Leaf first, the leaf with this key; empty where the key has none. */
  readonly certificates: readonly Certificate[];
}

/** Bytes of one set. */
const MAX_KEY_SET_BYTES = 262_144;
const MAX_KEYS = 64;
const limits = Object.freeze({ maxBytes: MAX_KEY_SET_BYTES, maxDepth: 4, maxValues: 2048 });
const curves: Readonly<Record<string, { readonly name: 'P-256' | 'P-384'; readonly oid: string }>> = Object.freeze({
  'P-256': { name: 'P-256', oid: '1.2.840.10045.3.1.7' },
  'P-384': { name: 'P-384', oid: '1.3.132.0.34' },
});

/**
 * Reads a JWK set (RFC 7517). Signing keys of type RSA, EC (P-256, P-384) and OKP (Ed25519) with a key id are read, from
 * their members or, where Azure leaves these out, from the leaf of `x5c`; where there are both they must agree. Keys of other
 * types and uses are skipped, as RFC 7517 section 5 asks. A private key and a key id given twice are refused. A set proves
 * nothing about who made it: only keys that are pinned, or that a pinned authority certified, count.
 * Throws JWK_MALFORMED, JWK_PRIVATE, JWK_DUPLICATE, JWS_JSON, JWS_LIMIT, JWS_X5C, CODEC_..., X509_....
 */
export function parseJwkSet(bytes: Uint8Array): readonly Jwk[] {
  const { keys } = parseJsonObject(bytes, limits);
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    throw new FastnessError('JWK_MALFORMED', `"keys" must list at most ${MAX_KEYS} keys.`);
  const read: Jwk[] = [];
  for (const entry of keys as readonly JsonValue[]) {
    if (!isJsonObject(entry)) throw new FastnessError('JWK_MALFORMED', 'A key is no object.');
    const key = readKey(entry);
    if (key === undefined) continue;
    requireNew(key, read);
    read.push(key);
  }
  return Object.freeze(read);
}

/** Joins sets; a key id may name one key only. Throws JWK_DUPLICATE. */
export function joinKeySets(sets: readonly (readonly Jwk[])[]): readonly Jwk[] {
  const joined: Jwk[] = [];
  for (const key of sets.flat()) {
    requireNew(key, joined);
    joined.push(key);
  }
  return Object.freeze(joined);
}

function requireNew({ keyId }: Jwk, known: readonly Jwk[]): void {
  if (known.some((other) => other.keyId === keyId))
    throw new FastnessError('JWK_DUPLICATE', `Key id ${keyId.slice(0, 64)}.`);
}

function readKey(entry: JsonObject): Jwk | undefined {
  if (['d', 'p', 'k'].some((name) => Object.hasOwn(entry, name))) throw new FastnessError('JWK_PRIVATE');
  const { kid, use, alg, x5c } = entry;
  if ((use !== undefined && use !== 'sig') || typeof kid !== 'string' || kid === '') return undefined;
  const stated = statedKey(entry);
  const certificates = x5c === undefined ? [] : readX5c(x5c, new Checklist([]));
  const [leaf] = certificates;
  const holder = stated ?? (entry['kty'] === 'RSA' ? leaf : undefined);
  if (holder === undefined) return undefined;
  if (leaf !== undefined && !equalBytes(leaf.spki, holder.spki))
    throw new FastnessError('JWK_MALFORMED', 'A key and its certificate differ.');
  return Object.freeze({ keyId: kid, holder, ...(typeof alg === 'string' ? { algorithm: alg } : {}), certificates });
}

/** The key that the members state; undefined for a type that is not read, and for RSA that is only in `x5c`. */
function statedKey(entry: JsonObject): KeyHolder | undefined {
  const { kty, crv, n, x5c } = entry;
  if (kty === 'RSA') return n === undefined && x5c !== undefined ? undefined : rsaKey(entry);
  if (kty === 'EC') return ecKey(entry);
  return kty === 'OKP' && crv === 'Ed25519' ? edKey(entry) : undefined;
}

function rsaKey(entry: JsonObject): KeyHolder {
  const key = der.sequence(der.unsigned(octets(entry, 'n')), der.unsigned(octets(entry, 'e')));
  return spkiOf(der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null()), key);
}

function ecKey(entry: JsonObject): KeyHolder | undefined {
  const curve = typeof entry['crv'] === 'string' ? curves[entry['crv']] : undefined;
  if (curve === undefined) return undefined;
  const coordinates = [octets(entry, 'x'), octets(entry, 'y')];
  if (coordinates.some(({ length }) => length !== fieldBytes[curve.name]))
    throw new FastnessError('JWK_MALFORMED', `A coordinate is not as long as ${curve.name} asks.`);
  const point = concatBytes(Uint8Array.of(4), ...coordinates);
  return spkiOf(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid(curve.oid)), point);
}

function edKey(entry: JsonObject): KeyHolder {
  return spkiOf(der.sequence(der.oid('1.3.101.112')), octets(entry, 'x'));
}

function spkiOf(algorithm: Uint8Array, key: Uint8Array): KeyHolder {
  return parseSpki(der.sequence(algorithm, der.bitString(key)));
}

function octets(entry: JsonObject, name: string): Uint8Array {
  const value = entry[name];
  if (typeof value !== 'string' || value === '') throw new FastnessError('JWK_MALFORMED', `A key without ${name}.`);
  return fromBase64Url(value);
}
