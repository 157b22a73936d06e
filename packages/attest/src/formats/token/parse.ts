import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { parseCrl, type Crl } from '@fastness/codec/x509';
import { Checklist } from '../../checks.ts';
import { checkCmw, CMW_ENDORSEMENTS, CMW_EVIDENCE, type Cmw } from '../../cmw.ts';
import { parseJws } from '../../jws/compact.ts';
import { parseJsonObject } from '../../jws/json.ts';
import { joinKeySets, parseJwkSet, type Jwk } from '../../jws/key-set.ts';
import { CRL_TYPE, JWK_SET_TYPE } from '../../media-types.ts';
import type { TokenService } from './service.ts';
import { ParsedToken, type TokenPart } from './stages.ts';
import './errors.ts';

/** What one token may say. Confidential Space lists arguments and environment; Azure its runtime claims. */
const claimLimits = Object.freeze({ maxBytes: 49_152, maxDepth: 10, maxValues: 4096 });

/** Reads evidence that is one token. Throws JWS_..., CODEC_..., X509_..., JWK_..., ATTEST_..., CMW_.... */
export function parseToken(evidence: Cmw, endorsements: readonly Cmw[], service: TokenService): ParsedToken {
  const checks: Checklist = new Checklist([]);
  const token = readToken(utf8Decode(evidenceOf(evidence, service)), service, checks);
  return finish({ token, parts: new Map() }, endorsements, service, checks);
}

/** One token and its claims. */
export function readToken(text: string, { algorithms }: TokenService, checks: Checklist): TokenPart {
  const jws = parseJws(text, algorithms, checks);
  return Object.freeze({ jws, claims: parseJsonObject(jws.payload, claimLimits) });
}

/** Completes what `parse` of a service read with the key sets and revocation lists that came as endorsements. */
export function finish(
  read: Pick<ParsedToken, 'token' | 'parts'>,
  endorsements: readonly Cmw[],
  { tee }: TokenService,
  checks: Checklist,
): ParsedToken {
  const sets: (readonly Jwk[])[] = [];
  const lists: Crl[] = [];
  for (const endorsement of endorsements) {
    const { type, value } = checkCmw(endorsement);
    if (type === JWK_SET_TYPE) sets.push(parseJwkSet(value.slice()));
    else if (type === CRL_TYPE) lists.push(parseCrl(value.slice()));
    else throw new FastnessError('ATTEST_ENDORSEMENT_UNSUPPORTED', `Type ${type}.`);
  }
  return new ParsedToken({ ...read, tee, checks: checks.results().checks }, { keys: joinKeySets(sets), lists });
}

/** The bytes of the evidence, as a private copy. Throws ATTEST_EVIDENCE_UNSUPPORTED. */
export function evidenceOf(evidence: Cmw, { evidenceType }: TokenService): Uint8Array {
  const { type, value } = checkCmw(evidence);
  if (type !== evidenceType) throw new FastnessError('ATTEST_EVIDENCE_UNSUPPORTED', `Type ${type}.`);
  return value.slice();
}

/** Wraps what the service returned (ASCII text) as evidence. */
export function encodeTokenEvidence(text: string, { evidenceType }: TokenService): Cmw {
  return { type: evidenceType, value: new TextEncoder().encode(text), ind: CMW_EVIDENCE };
}

/** Wraps a JWK set, as the service publishes it, as an endorsement: transport only, trusted for nothing. */
export function encodeKeySet(json: string): Cmw {
  return { type: JWK_SET_TYPE, value: new TextEncoder().encode(json), ind: CMW_ENDORSEMENTS };
}

/** Wraps a revocation list, DER, of an authority above the key of a token. */
export function encodeCrl(der: Uint8Array): Cmw {
  return { type: CRL_TYPE, value: der, ind: CMW_ENDORSEMENTS };
}
