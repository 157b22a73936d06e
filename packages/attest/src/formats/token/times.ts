import type { Checklist } from '../../checks.ts';
import type { JsonObject, JsonValue } from '../../jws/json.ts';

/** When a token was made and ends, in seconds since 1970. */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly notBefore: number;
  readonly expiresAt: number;
}

/** Clocks of the issuer and of the verifier may differ by this much. A token that has ended has ended, though. */
const MAX_SKEW_SECONDS = 60;
/** The last second that a Date can hold. */
const MAX_SECONDS = 8.64e12;

/** Reads `iat`, `exp` and `nbf` (RFC 7519, section 4.1); every service writes the first two. Throws TOKEN_TIMES. */
export function readTimes({ iat, nbf, exp }: JsonObject, checks: Checklist): TokenTimes {
  const sound = isTime(iat) && isTime(exp) && (nbf === undefined || isTime(nbf));
  checks.require('TOKEN_TIMES', sound, {
    expected: 'iat and exp, and nbf if there is one, in seconds',
    actual: sound ? 'they are' : `${typeof iat}, ${typeof exp} and ${typeof nbf}`,
  });
  return { issuedAt: iat, expiresAt: exp, notBefore: nbf === undefined ? iat : nbf };
}

/** Throws TOKEN_EXPIRED, TOKEN_NOT_YET_VALID, TOKEN_LIFETIME. */
export function requireCurrent(times: TokenTimes, now: Date, maxLifetime: number, checks: Checklist): void {
  const { issuedAt, notBefore, expiresAt } = times;
  const seconds = now.getTime() / 1000;
  checks.require('TOKEN_EXPIRED', seconds < expiresAt, { expected: `before ${iso(expiresAt)}`, actual: iso(seconds) });
  const start = Math.max(issuedAt, notBefore) - MAX_SKEW_SECONDS;
  checks.require('TOKEN_NOT_YET_VALID', seconds >= start, { expected: `from ${iso(start)}`, actual: iso(seconds) });
  const life = expiresAt - Math.min(issuedAt, notBefore);
  checks.require('TOKEN_LIFETIME', life <= maxLifetime, { expected: `at most ${maxLifetime} s`, actual: `${life} s` });
}

function isTime(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_SECONDS;
}

function iso(seconds: number): string {
  return new Date(Math.min(Math.max(seconds, 0), MAX_SECONDS) * 1000).toISOString();
}
