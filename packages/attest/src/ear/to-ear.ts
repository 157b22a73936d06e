import { toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Cmw } from '../cmw.ts';
import { evidenceToJson, type CmwCollection } from '../cmw-collection.ts';
import { isCompositeVerdict, type AttestationVerdict, type CompositeVerdict } from '../verdict.ts';
import { BINDING_UNCHECKED } from '../waivers.ts';
import { evidenceFormats } from '../formats/registry.ts';
import { roleOf } from '../roles.ts';
import { EAR_PROFILE, earClaimsSchema, type EarClaims, type VerifierId } from './schema.ts';
import {
  isWorse,
  NO_CLAIM,
  tierOf,
  trustClaims,
  WARNING,
  worstTier,
  type TrustTier,
  type TrustworthinessVector,
} from './tiers.ts';

/** Label of the submodule that holds the processor's appraisal. */
export const CPU_SUBMODULE = 'cpu0';

/** Evidence that answers no known challenge may be old, and whoever shows it need not be who made it. */
const unbound: TrustworthinessVector = Object.freeze({ 'instance-identity': WARNING, 'runtime-opaque': WARNING });

/**
 * The trustworthiness vector of a verdict on one piece of evidence: each claim as good as the evidence allows after every
 * applied waiver. A verdict on a collection has one for each part.
 */
export function trustworthinessOf({
  claims,
  waivers,
}: Pick<AttestationVerdict, 'claims' | 'waivers'>): TrustworthinessVector {
  const format = evidenceFormats.find(({ tee }) => tee === claims.tee);
  if (format === undefined) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'The claims are of no known TEE.');
  const { vectorOf, waiverEffects } = format.trustworthiness;
  const vector: TrustworthinessVector = { ...vectorOf(claims) };
  for (const { check } of waivers) {
    const effect = check === BINDING_UNCHECKED ? unbound : waiverEffects[check];
    if (effect === undefined) throw new FastnessError('ATTEST_ARGUMENT_INVALID', `No waiver of this TEE: ${check}.`);
    for (const claim of trustClaims) {
      const value = effect[claim];
      if (value !== undefined && isWorse(tierOf(value), tierOf(vector[claim] ?? NO_CLAIM))) vector[claim] = value;
    }
  }
  return vector;
}

/**
 * The verdict as an EAR claims set (draft-ietf-rats-ear-04), ready to be signed as a JWT by the caller; unsigned it proves
 * nothing. A submodule for each part (cpu0, gpu0, ...), each with its vector; the overall status is the worst of them, and
 * no better than a warning when a part claims nothing. `nonce`: 8 to 64 bytes that the relying party sent. `rawEvidence`: the
 * evidence the verdict is about. Throws ATTEST_ARGUMENT_INVALID.
 */
export function toEar(
  verdict: AttestationVerdict | CompositeVerdict,
  options: {
    readonly verifierId: VerifierId;
    readonly policyId: string;
    readonly nonce: Uint8Array;
    readonly issuedAt: Date;
    readonly rawEvidence: Cmw | CmwCollection;
  },
): EarClaims {
  const { verifierId, policyId, nonce, issuedAt, rawEvidence } = options;
  if (!(nonce instanceof Uint8Array) || nonce.length < 8 || nonce.length > 64) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'nonce must be 8 to 64 bytes.');
  }
  const parts = isCompositeVerdict(verdict) ? Object.entries(verdict.parts) : [[labelOf(verdict), verdict] as const];
  const submods = Object.fromEntries(parts.map(([label, part]) => [label, appraisalOf(part, policyId)]));
  const ear = earClaimsSchema.safeParse({
    eat_profile: EAR_PROFILE,
    ear_status: overallOf(Object.values(submods).map(({ ear_status }) => ear_status)),
    iat: Math.floor(issuedAt.getTime() / 1000),
    ear_verifier_id: verifierId,
    ear_raw_evidence: evidenceToJson(rawEvidence),
    eat_nonce: toBase64Url(nonce),
    submods,
  });
  if (!ear.success) {
    const [issue] = ear.error.issues;
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return ear.data;
}

function labelOf({ claims }: AttestationVerdict): string {
  const { role, label } = roleOf(claims.tee);
  return role === 'device' ? `${label}0` : CPU_SUBMODULE;
}

/** Not yet checked against the schema. */
function appraisalOf(verdict: AttestationVerdict, policyId: string) {
  const vector = trustworthinessOf(verdict);
  return {
    ear_status: worstTier(vector),
    ear_trustworthiness_vector: vector,
    ear_appraisal_policy_ids: [policyId],
    ear_attester_claims: { ...verdict.claims },
    ear_verifier_claims: {
      simulated: verdict.claims.simulated,
      waivers: verdict.waivers.map((waiver) => ({ ...waiver })),
    },
  };
}

/** The worst; a part that claims nothing must not hide behind one that does. */
function overallOf(statuses: readonly TrustTier[]): TrustTier {
  const worst = statuses.reduce<TrustTier>((tier, each) => (isWorse(each, tier) ? each : tier), 'none');
  return statuses.includes('none') && worst === 'affirming' ? 'warning' : worst;
}
