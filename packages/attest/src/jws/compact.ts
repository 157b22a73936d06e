import { fromBase64, fromBase64Url, utf8Encode } from '@fastness/codec';
import { parseCertificate, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../checks.ts';
import type { JwsAlgorithmName } from './algorithms.ts';
import { parseJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** A JWS that was read, and nothing more. */
export interface Jws {
  /** The text as it came; digests of detached tokens are taken over it. */
  readonly text: string;
  readonly algorithm: JwsAlgorithmName;
  readonly keyId?: string;
  /** Leaf first; empty where the header has none. */
  readonly certificates: readonly Certificate[];
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** What the signature covers. */
  readonly signed: Uint8Array;
}

/** Characters of one token. Genuine ones have less than 16 Ki. */
const MAX_JWS_LENGTH = 65_536;
/** Certificates in one `x5c`. */
const MAX_X5C = 6;
const headerLimits = Object.freeze({ maxBytes: 32_768, maxDepth: 3, maxValues: 64 });
const types: ReadonlySet<string> = new Set(['JWT', 'EAT+JWT']);

/**
 * Reads a JWS in compact serialisation (RFC 7515, section 7.1): three parts of base64url without padding, the header one
 * strict JSON object, the algorithm on the list given here and never `none`. Keys come from trust anchors, never from the
 * token: `jwk` and `x5u` are refused, `jku` (which Azure and Intel always send) is ignored and nothing is fetched. `x5c` is
 * read, and worth nothing until a pinned authority vouches for it. No extension (`crit`) is known. Nothing is verified.
 * Throws JWS_..., CODEC_..., X509_....
 */
export function parseJws(text: string, algorithms: readonly JwsAlgorithmName[], checks: Checklist): Jws {
  checks.require('JWS_SIZE', text.length <= MAX_JWS_LENGTH, {
    expected: `at most ${MAX_JWS_LENGTH} characters`,
    actual: `${text.length}`,
  });
  const parts = text.split('.');
  const [header = '', payload = '', signature = ''] = parts;
  checks.require('JWS_SHAPE', parts.length === 3 && header !== '' && payload !== '', {
    expected: 'header, payload and signature',
    actual: `${parts.length} parts`,
  });
  const members = parseJsonObject(fromBase64Url(header), headerLimits);
  const algorithm = readAlgorithm(members, algorithms, checks);
  checkMembers(members, checks);
  const keyId = members['kid'];
  return Object.freeze({
    text,
    algorithm,
    ...(typeof keyId === 'string' ? { keyId } : {}),
    certificates: readChain(members['x5c'], checks),
    payload: fromBase64Url(payload),
    signature: fromBase64Url(signature),
    signed: utf8Encode(`${header}.${payload}`),
  });
}

function readAlgorithm(
  { alg }: JsonObject,
  algorithms: readonly JwsAlgorithmName[],
  checks: Checklist,
): JwsAlgorithmName {
  checks.require('JWS_UNSIGNED', typeof alg !== 'string' || alg.toLowerCase() !== 'none', {
    expected: algorithms.join(' or '),
    actual: describe(alg),
  });
  const known = algorithms.find((name) => name === alg);
  checks.require('JWS_ALGORITHM', known !== undefined, { expected: algorithms.join(' or '), actual: describe(alg) });
  return known;
}

function checkMembers(members: JsonObject, checks: Checklist): void {
  const { typ, kid } = members;
  const known = typ === undefined || (typeof typ === 'string' && types.has(typ.toUpperCase()));
  const identified = kid === undefined || (typeof kid === 'string' && kid.length > 0 && kid.length <= 512);
  checks.require('JWS_HEADER', known && identified, {
    expected: 'a JWT, and a key id that is text',
    actual: `${describe(typ)}, ${describe(kid)}`,
  });
  const critical = ['crit', 'b64'].filter((name) => Object.hasOwn(members, name));
  checks.require('JWS_CRITICAL', critical.length === 0, {
    expected: 'no extension',
    actual: critical.join(' and ') || 'none',
  });
  const embedded = ['jwk', 'x5u'].filter((name) => Object.hasOwn(members, name));
  checks.require('JWS_EMBEDDED_KEY', embedded.length === 0, {
    expected: 'no key of its own',
    actual: embedded.join(' and ') || 'none',
  });
}

function readChain(value: JsonValue | undefined, checks: Checklist): readonly Certificate[] {
  if (value === undefined) {
    checks.notApplicable('JWS_X5C', 'the header has no x5c');
    return Object.freeze([]);
  }
  return readX5c(value, checks);
}

/** Reads `x5c` of a header or a key: standard base64, leaf first. */
export function readX5c(value: JsonValue, checks: Checklist): readonly Certificate[] {
  const list = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  const texts = list.filter((entry) => typeof entry === 'string');
  checks.require('JWS_X5C', list.length > 0 && list.length <= MAX_X5C && texts.length === list.length, {
    expected: `1 to ${MAX_X5C} certificates`,
    actual: Array.isArray(value) ? `${list.length} entries, ${texts.length} of them text` : 'no list',
  });
  return Object.freeze(texts.map((text) => parseCertificate(fromBase64(text))));
}

/** A header value, without repeating what an attacker wrote at length. */
function describe(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}
