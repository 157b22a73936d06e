import { utf8Encode } from '@fastness/codec';
import { Checklist } from '../../checks.ts';
import type { JsonObject } from '../../jws/json.ts';
import { verifyJws } from '../../jws/verify.ts';
import { evidenceVerifier, type VerificationMeans } from '../../means.ts';
import { parseAttestationPolicy, type AttestationPolicy } from '../../policy/policy.ts';
import type { TrustAnchors } from '../../trust/anchors.ts';
import type { IssuerPins, TokenService } from './service.ts';
import { sha256Hex } from '../../digest.ts';
import { requireTime } from '../../time.ts';
import { requireSigner, type SignerTrust } from './signer.ts';
import { AuthenticToken, ParsedToken, type TokenPart } from './stages.ts';
import { readTimes, requireCurrent } from './times.ts';

export interface AuthenticateOptions extends VerificationMeans {
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  readonly now: Date;
}

/**
 * Establishes that an accepted issuer signed the token, and every token detached from it, with a key that is trusted for
 * this issuer, and that each is in its time. What the issuer saw is not checked again: its word is all there is.
 *
 * The issuer is compared first, so that its pins and no others decide which key counts. A key never becomes trusted by
 * coming along: key sets sent as endorsements, and `x5c`, are transport.
 */
export async function authenticateToken(
  parsed: ParsedToken,
  service: TokenService,
  issuers: readonly IssuerPins[],
  options: AuthenticateOptions,
): Promise<AuthenticToken> {
  const { keys, lists } = ParsedToken.endorsementsOf(parsed, service.tee);
  const policy = parseAttestationPolicy(options.policy);
  const now = requireTime(options.now);
  const checks: Checklist = new Checklist(policy.waivers, { checks: parsed.checks, waivers: [] });
  const { token, parts } = parsed;

  const pins = requireIssuer(token.claims, issuers, checks);
  const anchors = options.anchors.tokens ?? [];
  const trust: SignerTrust = { tee: service.tee, pins, anchors, keys, lists, now, means: options };
  const signer = await requireSigned(token, trust, checks);
  const times = readTimes(token.claims, checks);
  requireCurrent(times, now, service.maxLifetimeSeconds, checks);
  for (const part of parts.values()) {
    requireIssuer(part.claims, [pins], checks);
    await requireSigned(part, trust, checks);
    requireCurrent(readTimes(part.claims, checks), now, service.maxLifetimeSeconds, checks);
  }
  return new AuthenticToken({
    tee: service.tee,
    issuer: pins.issuer,
    signer,
    claims: token.claims,
    parts: new Map([...parts].map(([name, part]) => [name, part.claims])),
    partDigests: new Map(
      await Promise.all(
        [...parts].map(async ([name, { jws }]) => [name, await sha256Hex(utf8Encode(jws.text))] as const),
      ),
    ),
    issuedAt: times.issuedAt,
    expiresAt: times.expiresAt,
    at: now.getTime(),
    ...checks.results(),
  });
}

async function requireSigned(
  { jws }: TokenPart,
  trust: SignerTrust,
  checks: Checklist,
): Promise<AuthenticToken['signer']> {
  const { holder, signer } = await requireSigner(jws, trust, checks);
  await verifyJws(jws, holder, evidenceVerifier(trust.means), checks);
  return signer;
}

function requireIssuer(claims: JsonObject, issuers: readonly IssuerPins[], checks: Checklist): IssuerPins {
  const { iss } = claims;
  const pins = issuers.find(({ issuer }) => issuer === iss);
  checks.require('TOKEN_ISSUER_NOT_ALLOWED', pins !== undefined, {
    expected: issuers.map(({ issuer }) => issuer).join(' or '),
    actual: typeof iss === 'string' ? iss.slice(0, 128) : 'no issuer',
  });
  return pins;
}
