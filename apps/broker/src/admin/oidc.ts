import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { z } from 'zod';
import type { AdminIdentity } from './acting.ts';
import { issuerKeys } from './jwks.ts';
import type { OidcOptions } from './options.ts';

/** Tells administrators by access tokens of an OpenID provider. */
export interface OidcCheck {
  /**
   * Whose token it is: a JWT access token (RFC 9068) of this issuer, for this audience, signed with an allowed algorithm, in
   * time. A token that is bound to a client certificate (RFC 8705) counts with that certificate only; `certificateSha256`
   * (base64url) is of the one on the connection. Throws `BROKER_ADMIN_ACCESS_TOKEN`, `BROKER_ADMIN_ISSUER`,
   * `BROKER_ADMIN_IDENTITY_UNKNOWN`.
   */
  identify(token: string, now: Date, certificateSha256: string | undefined): Promise<AdminIdentity>;
}

/** `cnf` of RFC 7800 as this reader knows it. */
const boundTo = z.strictObject({ 'x5t#S256': z.string() });

/** Throws `BROKER_CONFIG_INVALID`. */
export async function openOidcCheck(options: OidcOptions, clock: () => number): Promise<OidcCheck> {
  const { issuer, audience, algorithms, tokenType, clockSkewSeconds, maximumAgeSeconds, authorityPath } = options;
  const authorities = authorityPath === undefined ? undefined : await readText(authorityPath);
  const keys = issuerKeys({
    jwksUri: options.jwksUri,
    clock,
    ...(authorities === undefined ? {} : { authorities }),
  });
  return {
    async identify(token, now, certificateSha256) {
      const payload = await asRefused(async () => {
        const { payload: claims } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms,
          typ: tokenType,
          clockTolerance: clockSkewSeconds,
          maxTokenAge: maximumAgeSeconds,
          requiredClaims: ['sub', 'exp', 'iat'],
          currentDate: now,
        });
        return claims;
      });
      checkBinding(payload, certificateSha256);
      const { sub = '' } = payload;
      const found = options.identities.find(({ claim, value }) => holds(payload[claim], value));
      if (found === undefined || sub === '')
        throw new FastnessError('BROKER_ADMIN_IDENTITY_UNKNOWN', `Issuer ${issuer}.`);
      const subject = createHash('sha256')
        .update(JSON.stringify([issuer, sub]))
        .digest('hex');
      return {
        name: found.name,
        via: 'oidc',
        roles: found.roles,
        // Where the claim is not the person's own, the log tells people apart all the same.
        ...(found.claim === 'sub' ? {} : { subject }),
      };
    },
  };
}

function holds(claim: unknown, value: string): boolean {
  return claim === value || (Array.isArray(claim) && claim.includes(value));
}

/** A token that says to whom it is bound is nobody else's; one that is bound in another way cannot be checked here. */
function checkBinding({ cnf }: JWTPayload, certificateSha256: string | undefined): void {
  if (cnf === undefined) return;
  const bound = boundTo.safeParse(cnf);
  if (!bound.success || certificateSha256 === undefined || bound.data['x5t#S256'] !== certificateSha256)
    throw new FastnessError('BROKER_ADMIN_ACCESS_TOKEN', 'At cnf.');
}

/** What is wrong with a token, by the claim or the code that `jose` names; never the token. */
async function asRefused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof errors.JWTClaimValidationFailed || cause instanceof errors.JWTExpired)
      throw new FastnessError('BROKER_ADMIN_ACCESS_TOKEN', `At ${cause.claim}.`);
    const refused =
      cause instanceof errors.JWKSNoMatchingKey ||
      cause instanceof errors.JWKSMultipleMatchingKeys ||
      cause instanceof errors.JWSSignatureVerificationFailed ||
      cause instanceof errors.JOSEAlgNotAllowed ||
      cause instanceof errors.JOSENotSupported ||
      cause instanceof errors.JWSInvalid ||
      cause instanceof errors.JWTInvalid;
    if (refused) throw new FastnessError('BROKER_ADMIN_ACCESS_TOKEN', `${cause.code}.`);
    throw new FastnessError('BROKER_ADMIN_ISSUER', undefined, { cause });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `administrators: cannot read ${path}.`, { cause });
  }
}
