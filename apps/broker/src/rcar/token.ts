import { createPublicKey, randomBytes, type KeyObject } from 'node:crypto';
import { toEar, type AttestationVerdict, type Cmw } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import type { BrokerContext } from '../context.ts';
import { signJwt } from '../jwt.ts';
import { tcbOf } from '../lifecycle/tcb.ts';
import { platformOf } from '../platform.ts';
import { guestKeySchema, type GuestKey } from './guest-key.ts';

/** Keeps apart the attestation results that open resources from the others that the broker signs. */
const audience = 'fastness/rcar/v1';

/** What a release of a resource depends on. */
const guestFacts = z.strictObject({
  tee: z.enum(['sev-snp', 'tdx']),
  measurement: z.string(),
  platform: z.string(),
  tcb: z.record(z.string(), z.union([z.number(), z.string()])),
  policyDigest: z.string(),
  waivers: z.array(z.string()),
});
const tokenClaims = z.looseObject({
  jti: z.string().regex(/^[0-9a-f]{32}$/),
  'tee-pubkey': guestKeySchema,
  fastness_rcar: guestFacts,
});

/** A guest that attested, as its token says. */
export type AttestedGuest = z.infer<typeof guestFacts> & { readonly tokenId: string; readonly key: GuestKey };

/**
 * The attestation result of a guest as a JWT: an EAR (draft 04) with the key of the guest at `/tee-pubkey`, where Trustee
 * looks for it. The evidence stays out: the token travels in a header.
 */
export async function issueToken(
  context: BrokerContext,
  attested: {
    readonly verdict: AttestationVerdict;
    readonly evidence: Cmw;
    readonly key: GuestKey;
    readonly nonce: Uint8Array;
    readonly seconds: number;
  },
): Promise<string> {
  const { verdict, evidence, key, nonce, seconds } = attested;
  const { claims, waivers, policyId } = verdict;
  const issuedAt = context.now();
  const { ear_raw_evidence: _evidence, ...ear } = toEar(verdict, {
    verifierId: { developer: 'Fastness', build: `broker ${context.signer.keyId.slice(0, 16)}` },
    policyId,
    nonce,
    issuedAt,
    rawEvidence: evidence,
  });
  return await signJwt(context.signer, 'eat+jwt', {
    ...ear,
    aud: audience,
    exp: ear.iat + seconds,
    jti: toHex(new Uint8Array(randomBytes(16))),
    'tee-pubkey': key,
    fastness_rcar: {
      tee: claims.tee,
      measurement: claims.measurement,
      platform: platformOf(claims),
      tcb: tcbOf(claims),
      policyDigest: context.policy.digest,
      waivers: waivers.map(({ check }) => check),
    },
  });
}

/**
 * Reads a token of this broker: its signature under the broker's key, purpose, time, and that the policy is still the same.
 * Throws `RCAR_TOKEN_INVALID`, `RCAR_TOKEN_EXPIRED`, `RCAR_TOKEN_POLICY_CHANGED`.
 */
export async function readToken(context: BrokerContext, token: string): Promise<AttestedGuest> {
  let payload: unknown;
  try {
    ({ payload } = await jwtVerify(token, publicKeyOf(context.signer.publicKey), {
      algorithms: ['EdDSA'],
      typ: 'eat+jwt',
      audience,
      requiredClaims: ['exp', 'iat', 'jti'],
      currentDate: context.now(),
      clockTolerance: 0,
    }));
  } catch (cause) {
    const code = cause instanceof errors.JWTExpired ? 'RCAR_TOKEN_EXPIRED' : 'RCAR_TOKEN_INVALID';
    throw new FastnessError(code, undefined, { cause });
  }
  const claims = tokenClaims.safeParse(payload);
  if (!claims.success) throw new FastnessError('RCAR_TOKEN_INVALID');
  const { jti, 'tee-pubkey': key, fastness_rcar: facts } = claims.data;
  if (facts.policyDigest !== context.policy.digest) throw new FastnessError('RCAR_TOKEN_POLICY_CHANGED');
  return { ...facts, tokenId: jti, key };
}

function publicKeyOf(spki: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
}
