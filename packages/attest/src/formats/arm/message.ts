import { decodeCbor, type CborKey, type CborMap } from '@fastness/codec/cbor';
import { coseHeaders, decodeSign1, type Sign1 } from '@fastness/codec/cose';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import { coseSignatures, type CoseSignature } from '../../cose-signatures.ts';

/** Codes of one kind of token, by what is wrong with its message. */
export interface ArmMessageCodes {
  readonly tag: ErrorCode;
  /** Where a token of this kind could be a COSE_Mac0. */
  readonly mac0?: ErrorCode;
  readonly algorithm: ErrorCode;
  readonly header: ErrorCode;
  readonly payload: ErrorCode;
}

/** A signed claims set: read, not verified. */
export interface ArmMessage {
  readonly sign1: Sign1;
  readonly signature: CoseSignature;
  readonly claims: CborMap;
}

/** First bytes of tags 18 and 17 in their shortest form. */
const SIGN1 = 0xd2;
const MAC0 = 0xd1;
/** ES256, ES384, ES512: what every receiver has to take (RFC 9783, section 5.2). */
const algorithms: ReadonlySet<number> = new Set([-7, -35, -36]);
const { algorithm: ALG, contentType, keyId, type } = coseHeaders;
const protectedLabels: ReadonlySet<CborKey> = new Set([ALG, contentType, keyId, type]);
/** TF-M can put a key id there. It is not looked at: the instance id names the key. */
const unprotectedLabels: ReadonlySet<CborKey> = new Set([keyId]);

/** Bytes of a token with its signature; recorded ones have less than 2 KiB. */
const MAX_ARM_TOKEN_BYTES = 16_384;
/** Claims, software components and their attributes. */
export const armLimits = Object.freeze({ maxBytes: MAX_ARM_TOKEN_BYTES, maxDepth: 8, maxItems: 1024 });

/**
 * Reads a claims set signed as COSE_Sign1, tagged 18 (RFC 9783, section 5.1.1; draft-ffm-rats-cca-token, section 4.11.1). The
 * payload may have its claims in any order and integers in longer forms than needed, as readers have to take both; lengths
 * must be definite. `what`: for errors.
 */
export function readArmMessage(bytes: Uint8Array, codes: ArmMessageCodes, checks: Checklist, what: string): ArmMessage {
  const { mac0 } = codes;
  if (mac0 !== undefined) {
    checks.require(mac0, bytes[0] !== MAC0, {
      expected: 'a signature',
      actual: bytes[0] === MAC0 ? 'COSE_Mac0' : 'one',
    });
  }
  checks.require(codes.tag, bytes[0] === SIGN1, {
    expected: `${what} with tag 18`,
    actual: bytes[0] === SIGN1 ? 'tag 18' : 'another tag or none',
  });
  const sign1 = decodeSign1(bytes, { limits: armLimits });
  const signature = algorithms.has(sign1.algorithm) ? coseSignatures.get(sign1.algorithm) : undefined;
  checks.require(codes.algorithm, signature !== undefined, {
    expected: 'ES256, ES384 or ES512',
    actual: signature?.name ?? `algorithm ${sign1.algorithm}`,
  });
  const stray = [
    ...[...sign1.protectedHeader.keys()].filter((label) => !protectedLabels.has(label)),
    ...[...sign1.unprotected.keys()].filter((label) => !unprotectedLabels.has(label)),
  ];
  checks.require(codes.header, stray.length === 0, {
    expected: 'no parameters but algorithm, content type, type and key id',
    actual: stray.length === 0 ? 'none' : `label ${String(stray[0]).slice(0, 16)}`,
  });
  const claims = readClaims(sign1);
  checks.require(codes.payload, claims !== undefined, {
    expected: `${what} with a map of claims`,
    actual: claims === undefined ? 'none' : `${claims.size} claims`,
  });
  return { sign1, signature, claims };
}

function readClaims({ payload }: Sign1): CborMap | undefined {
  if (payload === null || payload.length === 0) return undefined;
  const value = decodeCbor(payload, { keyOrder: 'any', integers: 'any', limits: armLimits });
  return value instanceof Map ? (value as CborMap) : undefined;
}

/** Takes the bytes of one token, within its limits. */
export function requireTokenSize(bytes: Uint8Array, code: ErrorCode, checks: Checklist): void {
  checks.require(code, bytes.length > 0 && bytes.length <= MAX_ARM_TOKEN_BYTES, {
    expected: `1 to ${MAX_ARM_TOKEN_BYTES} bytes`,
    actual: `${bytes.length}`,
  });
}

/** The value that a caller expects, of one of these lengths. Throws ATTEST_ARGUMENT_INVALID. */
export function expectedNonce(value: Uint8Array, lengths: readonly number[]): Uint8Array {
  if (!(value instanceof Uint8Array) || !lengths.includes(value.length)) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `expectedReportData must be ${lengths.join(' or ')} bytes.`);
  }
  return value;
}
