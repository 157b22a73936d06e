import * as z from 'zod';
import { trustTiers } from './tiers.ts';

/** The EAT profile of draft-ietf-rats-ear-04. */
export const EAR_PROFILE = 'tag:ietf.org,2026:rats/ear#04';

const seconds = z.int().min(0);
const trustClaim = z.int().min(-128).max(127);

/** EAT nonce in JSON: base64url of 8 to 64 bytes. */
const nonce = z.string().min(8).max(88);

export const verifierIdSchema = z.strictObject({
  developer: z.string().min(1).max(256).describe('Who wrote the verifier, preferably a URI.'),
  build: z.string().min(1).max(256).describe('Which build it is.'),
});
export type VerifierId = z.infer<typeof verifierIdSchema>;

export const trustworthinessVectorSchema = z.strictObject({
  'instance-identity': trustClaim.exactOptional(),
  configuration: trustClaim.exactOptional(),
  executables: trustClaim.exactOptional(),
  'file-system': trustClaim.exactOptional(),
  hardware: trustClaim.exactOptional(),
  'runtime-opaque': trustClaim.exactOptional(),
  'storage-opaque': trustClaim.exactOptional(),
  'sourced-data': trustClaim.exactOptional(),
});

const cmwRecord = z.union([z.tuple([z.string(), z.string()]), z.tuple([z.string(), z.string(), z.int()])]);
const claimsMap = z.record(z.string(), z.json());

/** One appraised device. */
const earAppraisalSchema = z.object({
  eat_profile: z.string().exactOptional(),
  ear_status: z.enum(trustTiers),
  ear_trustworthiness_vector: trustworthinessVectorSchema.exactOptional(),
  ear_appraisal_policy_ids: z.array(z.string()).min(1).max(64).exactOptional(),
  eat_nonce: nonce.exactOptional(),
  ear_attester_claims: claimsMap.exactOptional(),
  ear_verifier_claims: claimsMap.exactOptional(),
});

/** The JSON claims set of an EAR, draft 04. Whoever issues one signs it as a JWT; unsigned it proves nothing. */
export const earClaimsSchema = z.object({
  eat_profile: z.literal(EAR_PROFILE),
  ear_status: z.enum(trustTiers).exactOptional(),
  iat: seconds,
  exp: seconds.exactOptional(),
  ear_verifier_id: verifierIdSchema,
  ear_raw_evidence: z
    .union([cmwRecord, z.record(z.string(), z.union([z.string(), cmwRecord]))])
    .exactOptional()
    .describe('The evidence as a CMW record, or a collection of records by label.'),
  eat_nonce: z.union([nonce, z.array(nonce).min(1).max(16)]).exactOptional(),
  submods: z.record(z.string().min(1).max(128), earAppraisalSchema),
});

export type EarAppraisal = z.infer<typeof earAppraisalSchema>;
export type EarClaims = z.infer<typeof earClaimsSchema>;
