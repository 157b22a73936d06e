import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** A conceptual message wrapper, record form (RFC 9999): a message, its media type, and what kind of message it is. */
export interface Cmw {
  /** Media type of `value`. */
  readonly type: string;
  readonly value: Uint8Array;
  /** Bits saying what the message is; see {@link CMW_EVIDENCE} and its neighbours. */
  readonly ind?: number;
}

/** JSON form of a record: [media type, base64url without padding, ? indicator]. */
export type CmwJson = [string, string] | [string, string, number];

/** Indicator bits (RFC 9999, section 3.1). */
export const CMW_REFERENCE_VALUES = 1;
export const CMW_ENDORSEMENTS = 2;
export const CMW_EVIDENCE = 4;
export const CMW_ATTESTATION_RESULTS = 8;

/** Largest value that is read, in bytes. A report is about 1 KiB and a certificate table seldom over 16. */
export const CMW_MAX_VALUE = 1 << 20;

// RFC 6838 names without parameters: none of the types here has any.
const mediaType = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;
const MAX_BASE64URL = Math.ceil((CMW_MAX_VALUE * 4) / 3);

export function cmwToJson(cmw: Cmw): CmwJson {
  const { type, value, ind } = checkCmw(cmw);
  return ind === undefined ? [type, toBase64Url(value)] : [type, toBase64Url(value), ind];
}

/** Reads the JSON form. Throws CMW_MALFORMED, CMW_TOO_LARGE. Collections and numeric content formats are not read. */
export function cmwFromJson(json: unknown): Cmw {
  if (!Array.isArray(json) || json.length < 2 || json.length > 3)
    throw malformed('not a record of two or three members');
  const [type, value, ind] = json as unknown[];
  if (typeof type !== 'string' || typeof value !== 'string') throw malformed('type and value must be text');
  if (value.length > MAX_BASE64URL)
    throw new FastnessError('CMW_TOO_LARGE', `${value.length} characters; at most ${MAX_BASE64URL}.`);
  if (json.length === 3 && typeof ind !== 'number') throw malformed('the indicator must be a number');
  return checkCmw({ type, value: decode(value), ...(typeof ind === 'number' ? { ind } : {}) });
}

/** Returns the record when type, size and indicator are in range; throws otherwise. */
export function checkCmw(cmw: Cmw): Cmw {
  if (typeof cmw !== 'object' || cmw === null) throw malformed('not a record');
  if (!mediaType.test(cmw.type)) throw malformed('the type is not a lower-case media type');
  if (!(cmw.value instanceof Uint8Array)) throw malformed('the value is not bytes');
  if (cmw.value.length > CMW_MAX_VALUE)
    throw new FastnessError('CMW_TOO_LARGE', `${cmw.value.length} bytes; at most ${CMW_MAX_VALUE}.`);
  if (cmw.ind !== undefined && !(Number.isSafeInteger(cmw.ind) && cmw.ind > 0 && cmw.ind < 2 ** 32))
    throw malformed('the indicator is not a positive 32-bit integer');
  return cmw;
}

function decode(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new FastnessError('CMW_MALFORMED', 'the value is not base64url without padding', { cause });
  }
}

function malformed(why: string): FastnessError {
  return new FastnessError('CMW_MALFORMED', why);
}
