import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

const coordinate = z.string().regex(/^[A-Za-z0-9_-]{1,128}$/);

/** The key of a guest as the protocol carries it. Members that are not listed would not be in the digest, so there are none. */
export const guestKeySchema = z.union([
  z.strictObject({
    kty: z.literal('EC'),
    crv: z.string().max(16),
    alg: z.string().max(32),
    x: coordinate,
    y: coordinate,
  }),
  z.strictObject({
    kty: z.literal('RSA'),
    alg: z.string().max(32),
    n: z.string().regex(/^[A-Za-z0-9_-]{1,800}$/),
    e: z.string().regex(/^[A-Za-z0-9_-]{1,16}$/),
  }),
]);
export type GuestKey = z.infer<typeof guestKeySchema>;

/** Bytes of a coordinate by curve. */
const curves: ReadonlyMap<string, number> = new Map([
  ['P-256', 32],
  ['P-521', 66],
]);

/**
 * Reads the key. Throws `RCAR_KEY_UNSUPPORTED`, `RCAR_KEY_INVALID` (no point of its curve, a coordinate of another length, an
 * RSA key of another size).
 */
export function readGuestKey(jwk: GuestKey): KeyObject {
  if (jwk.kty === 'EC') {
    const size = curves.get(jwk.crv);
    if (jwk.alg !== 'ECDH-ES+A256KW' || size === undefined) throw new FastnessError('RCAR_KEY_UNSUPPORTED');
    const short = [jwk.x, jwk.y].some((text) => Buffer.from(text, 'base64url').length !== size);
    if (short) throw new FastnessError('RCAR_KEY_INVALID');
  } else if (jwk.alg !== 'RSA-OAEP-256') {
    // RSA1_5 among them: its padding is an oracle.
    throw new FastnessError('RCAR_KEY_UNSUPPORTED');
  }
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch (cause) {
    throw new FastnessError('RCAR_KEY_INVALID', undefined, { cause });
  }
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  const badRsa =
    jwk.kty === 'RSA' &&
    (modulusLength === undefined || modulusLength < 2048 || modulusLength > 4096 || publicExponent !== 65_537n);
  if (badRsa) throw new FastnessError('RCAR_KEY_INVALID');
  return key;
}

/**
 * JSON in the canonical form of RFC 8785, for values made of objects, lists and strings. Strings are written as ECMAScript
 * does, names are sorted by their UTF-16 units. Throws `BROKER_REQUEST_INVALID` for lone surrogates, which have no UTF-8.
 */
export function canonicalJson(value: CanonicalValue): string {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new FastnessError('BROKER_REQUEST_INVALID', 'A string is not Unicode.');
    return JSON.stringify(value);
  }
  const members = Object.keys(value)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => `${canonicalJson(name)}:${canonicalJson(value[name] ?? '')}`);
  return `{${members.join(',')}}`;
}
export type CanonicalValue = string | { readonly [name: string]: CanonicalValue };

/**
 * What the report data of the primary evidence must be: SHA-384 over the canonical JSON of nonce, key and additional
 * evidence, and zeros up to 64 bytes.
 */
export function boundReportData(bound: { nonce: string; key: GuestKey; additionalEvidence: string }): Uint8Array {
  const { nonce, key, additionalEvidence } = bound;
  const text = canonicalJson({ 'additional-evidence': additionalEvidence, nonce, 'tee-pubkey': key });
  const reportData = new Uint8Array(64);
  reportData.set(createHash('sha384').update(utf8Encode(text)).digest());
  return reportData;
}

/** SHA-256 of the canonical JSON of a key, hex: how the audit log names it. */
export function guestKeyDigest(key: GuestKey): string {
  return createHash('sha256')
    .update(utf8Encode(canonicalJson(key)))
    .digest('hex');
}
