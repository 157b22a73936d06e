import type { CborKey, CborMap, CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';

/** Hash values, and nonces, which are as long. */
export const HASH_BYTES: readonly number[] = Object.freeze([32, 48, 64]);
const INSTANCE_ID_BYTES = 33;
const MAX_TEXT = 256;
/** First byte of a UEID of kind RAND (RFC 9711, section 4.2.1). */
const RAND = 0x01;

/** That every claim of a list is there. */
export function requireClaims(
  claims: CborMap,
  required: readonly (readonly [key: CborKey, name: string])[],
  code: ErrorCode,
  checks: Checklist,
): void {
  const missing = required.filter(([key]) => !claims.has(key)).map(([, name]) => name);
  checks.require(code, missing.length === 0, {
    expected: required.map(([, name]) => name).join(', '),
    actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
  });
}

/** Bytes of one of these lengths. */
export function readBytesClaim(
  value: CborValue | undefined,
  lengths: readonly number[],
  code: ErrorCode,
  checks: Checklist,
): Uint8Array {
  checks.require(code, value instanceof Uint8Array && lengths.includes(value.length), {
    expected: `${lengths.join(' or ')} bytes`,
    actual: describe(value),
  });
  return value;
}

/** A UEID of kind RAND: 0x01 and 32 bytes. */
export function readInstanceId(value: CborValue | undefined, code: ErrorCode, checks: Checklist): Uint8Array {
  const sound = value instanceof Uint8Array && value.length === INSTANCE_ID_BYTES && value[0] === RAND;
  checks.require(code, sound, {
    expected: `01 and ${INSTANCE_ID_BYTES - 1} bytes`,
    actual: value instanceof Uint8Array ? `${value.length} bytes of kind ${value[0] ?? 'none'}` : describe(value),
  });
  return value;
}

/** Text, if it is there. */
export function readOptionalText(value: CborValue | undefined, code: ErrorCode, checks: Checklist): string | undefined {
  if (value === undefined) {
    checks.notApplicable(code, 'the token has none');
    return undefined;
  }
  checks.require(code, typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT, {
    expected: `text of 1 to ${MAX_TEXT} characters`,
    actual: describe(value),
  });
  return value;
}

/** What a value is, without repeating what an attacker wrote at length. */
export function describe(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'string')
    return value.length > 48 ? `text of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value === undefined) return 'nothing';
  return Array.isArray(value) ? `a list of ${value.length}` : 'another type';
}
