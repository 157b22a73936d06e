import { toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { cmwToJson, type Cmw } from '../cmw.ts';
import type { AttestationVerdict } from '../verdict.ts';
import type { WaivableCheck } from '../waivers.ts';
import { EAR_PROFILE, earClaimsSchema, type EarClaims, type VerifierId } from './schema.ts';
import {
  AFFIRMING,
  APPROVED_BOOT,
  CONTRAINDICATED,
  isWorse,
  NO_CLAIM,
  tierOf,
  trustClaims,
  WARNING,
  worstTier,
  type TrustworthinessVector,
} from './tiers.ts';

/** Label of the submodule that holds the processor's appraisal. */
export const CPU_SUBMODULE = 'cpu0';

/**
 * What the simulated TEE amounts to: hardware that is recognised and must not be relied on (nothing but software made the
 * report), memory that the host can read, and neither identity nor measurement that anybody vouches for. So the status of
 * simulated evidence is `contraindicated`, whatever else holds.
 */
const simulatedVector: TrustworthinessVector = Object.freeze({
  'instance-identity': NO_CLAIM,
  configuration: NO_CLAIM,
  executables: NO_CLAIM,
  hardware: CONTRAINDICATED,
  'runtime-opaque': CONTRAINDICATED,
});

/**
 * What a verdict on SEV-SNP supports: a chip or provider that AMD vouches for and has not revoked; a configuration that
 * the policy names; a launch measurement that the policy names, which covers booting and not what is loaded later; genuine
 * hardware at or above the floors; memory that the host cannot read. Files, storage and data sources are not claimed.
 */
const genuineVector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'runtime-opaque': AFFIRMING,
});

/**
 * What a waiver takes away. Without a current revocation list nobody knows whether the identity and the hardware behind it
 * are still good. A guest that may be debugged is open to the host. One that may migrate ends up where an agent says.
 */
const waiverEffects: Readonly<Record<WaivableCheck, TrustworthinessVector>> = Object.freeze({
  SNP_CRL_MISSING: { 'instance-identity': WARNING, hardware: WARNING },
  SNP_CRL_EXPIRED: { 'instance-identity': WARNING, hardware: WARNING },
  SNP_DEBUG_ALLOWED: {
    configuration: CONTRAINDICATED,
    'runtime-opaque': CONTRAINDICATED,
    executables: CONTRAINDICATED,
  },
  SNP_MIGRATION_ALLOWED: { configuration: WARNING },
  SNP_VLEK_CHIP_ID: {},
});

/** The trustworthiness vector of a verdict: each claim as good as the evidence allows after every applied waiver. */
export function trustworthinessOf({
  claims,
  waivers,
}: Pick<AttestationVerdict, 'claims' | 'waivers'>): TrustworthinessVector {
  const vector: TrustworthinessVector = { ...(claims.simulated ? simulatedVector : genuineVector) };
  for (const { check } of waivers) {
    const effect = waiverEffects[check];
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
