import { equalBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, type Checklist } from '../../checks.ts';
import type { TokenClaimsBase } from '../../claims/token.ts';
import type { JsonObject, JsonValue } from '../../jws/json.ts';
import { bytesOf, type ClaimEncoding } from './claims.ts';
import type { AuthenticToken } from './stages.ts';

/** Fewer bytes could be guessed or met by chance. */
const MIN_BOUND_BYTES = 16;

/** One place of a token that may carry what the attester bound. */
export interface BoundText {
  /** Name of the claim, for people. */
  readonly claim: string;
  readonly value: JsonValue | undefined;
  readonly encoding: ClaimEncoding;
}

/**
 * Compares what the token binds with what this session expects, over all bytes and in constant time; first of all, because a
 * token for another session answers no question of this one. A list is met by any of its entries: the issuer echoes what
 * the attester asked for. Throws TOKEN_NONCE_MISMATCH, ATTEST_ARGUMENT_INVALID.
 */
export function requireBinding(
  { claim, value, encoding }: BoundText,
  expectedReportData: Uint8Array,
  most: number,
  checks: Checklist,
): string {
  if (
    !(expectedReportData instanceof Uint8Array) ||
    expectedReportData.length < MIN_BOUND_BYTES ||
    expectedReportData.length > most
  ) {
    throw new FastnessError(
      'ATTEST_ARGUMENT_INVALID',
      `expectedReportData must be ${MIN_BOUND_BYTES} to ${most} bytes.`,
    );
  }
  const entries: readonly (JsonValue | undefined)[] = Array.isArray(value) ? value : [value];
  const texts = entries.filter((entry) => typeof entry === 'string');
  const bound = texts.some((text) => {
    const bytes = bytesOf(text, encoding);
    return bytes !== undefined && equalBytes(bytes, expectedReportData);
  });
  const expected = toHex(expectedReportData);
  checks.require('TOKEN_NONCE_MISMATCH', bound, {
    expected: `${claim}: ${expected} in ${encoding}`,
    actual: texts.map((text) => text.slice(0, 176)).join(' or ') || 'nothing',
  });
  return expected;
}

/** A token for another audience is none for this one, whoever sends it. Throws TOKEN_AUDIENCE, TOKEN_STALE. */
export function requireUse(
  { claims, issuedAt, at }: AuthenticToken,
  policy: { readonly audiences?: readonly string[] | undefined; readonly maxAgeSeconds?: number | undefined },
  checks: Checklist,
): void {
  const { audiences, maxAgeSeconds } = policy;
  const named = audienceOf(claims);
  checks.require(
    'TOKEN_AUDIENCE',
    audiences === undefined ? named.length === 0 : named.some((name) => audiences.includes(name)),
    {
      expected: audiences === undefined ? 'no audience, as the policy lists none' : anyOf(audiences),
      actual: named.map((name) => name.slice(0, 96)).join(' and ') || 'no audience',
    },
  );
  if (maxAgeSeconds === undefined) checks.notApplicable('TOKEN_STALE', 'the policy accepts tokens until they expire');
  else {
    const age = Math.floor(at / 1000) - issuedAt;
    checks.require('TOKEN_STALE', age <= maxAgeSeconds, { expected: `at most ${maxAgeSeconds} s`, actual: `${age} s` });
  }
}

function audienceOf({ aud }: JsonObject): readonly string[] {
  const entries: readonly (JsonValue | undefined)[] = Array.isArray(aud) ? aud : [aud];
  return entries
    .filter((entry) => entry !== undefined)
    .map((entry) => (typeof entry === 'string' ? entry : '(no text)'));
}

/** Requires a value to be on a list of the policy; an absent list accepts any. */
export function requireListed(
  code: Parameters<Checklist['require']>[0],
  value: string,
  list: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (list === undefined) checks.notApplicable(code, 'the policy lists none');
  else checks.require(code, list.includes(value), { expected: anyOf(list), actual: value.slice(0, 256) });
}

/** What the claims of every service say about the token itself. */
export function tokenFacts(authentic: AuthenticToken): Pick<TokenClaimsBase, 'issuer' | 'token' | 'verifiedAt'> {
  const { issuer, issuedAt, expiresAt, signer, claims, at } = authentic;
  const { jti } = claims;
  return {
    issuer,
    token: Object.freeze({
      issuedAt: new Date(issuedAt * 1000).toISOString(),
      expiresAt: new Date(expiresAt * 1000).toISOString(),
      ...(typeof jti === 'string' ? { id: jti.slice(0, 256) } : {}),
      signerSpkiSha256: signer.spkiSha256,
      trustedBy: signer.trustedBy,
    }),
    verifiedAt: new Date(at).toISOString(),
  };
}
