import { toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { cmwToJson, type Cmw } from '../cmw.ts';
import type { AttestationVerdict } from '../verdict.ts';
import { evidenceFormats } from '../formats/registry.ts';
import { EAR_PROFILE, earClaimsSchema, type EarClaims, type VerifierId } from './schema.ts';
import { isWorse, NO_CLAIM, tierOf, trustClaims, worstTier, type TrustworthinessVector } from './tiers.ts';

/** Label of the submodule that holds the processor's appraisal. */
export const CPU_SUBMODULE = 'cpu0';

/** The trustworthiness vector of a verdict: each claim as good as the evidence allows after every applied waiver. */
export function trustworthinessOf({
  claims,
  waivers,
}: Pick<AttestationVerdict, 'claims' | 'waivers'>): TrustworthinessVector {
  const format = evidenceFormats.find(({ tee }) => tee === claims.tee);
  if (format === undefined) throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'The claims are of no known TEE.');
  const { vectorOf, waiverEffects } = format.trustworthiness;
  const vector: TrustworthinessVector = { ...vectorOf(claims) };
  for (const { check } of waivers) {
    const effect = waiverEffects[check];
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
 * nothing. `nonce`: 8 to 64 bytes that the relying party sent. `rawEvidence`: the evidence the verdict is about.
 * Throws ATTEST_ARGUMENT_INVALID.
 */
export function toEar(
  verdict: AttestationVerdict,
  options: {
    readonly verifierId: VerifierId;
    readonly policyId: string;
    readonly nonce: Uint8Array;
    readonly issuedAt: Date;
    readonly rawEvidence: Cmw;
  },
): EarClaims {
  const { verifierId, policyId, nonce, issuedAt, rawEvidence } = options;
  if (!(nonce instanceof Uint8Array) || nonce.length < 8 || nonce.length > 64) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'nonce must be 8 to 64 bytes.');
  }
  const vector = trustworthinessOf(verdict);
  const status = worstTier(vector);
  const ear = earClaimsSchema.safeParse({
    eat_profile: EAR_PROFILE,
    ear_status: status,
    iat: Math.floor(issuedAt.getTime() / 1000),
    ear_verifier_id: verifierId,
    ear_raw_evidence: cmwToJson(rawEvidence),
    eat_nonce: toBase64Url(nonce),
    submods: {
      [CPU_SUBMODULE]: {
        ear_status: status,
        ear_trustworthiness_vector: vector,
        ear_appraisal_policy_ids: [policyId],
        ear_attester_claims: { ...verdict.claims },
        ear_verifier_claims: {
          simulated: verdict.claims.simulated,
          waivers: verdict.waivers.map((waiver) => ({ ...waiver })),
        },
      },
    },
  });
  if (!ear.success) {
    const [issue] = ear.error.issues;
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return ear.data;
}
