import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';
import { EAR_PROFILE, trustworthinessVectorSchema, verifierIdSchema } from './schema.ts';
import { isWorse, trustTiers, worstTier, type TrustTier, type TrustworthinessVector } from './tiers.ts';

/** An attestation result, whichever draft of EAR it was written in. */
export interface Ear {
  readonly profile: string;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt?: number;
  readonly verifierId: { readonly developer: string; readonly build: string };
  readonly nonces: readonly string[];
  /** The status of the whole as stated, otherwise the worst of the submodules. */
  readonly status: TrustTier;
  /** As sent: a CMW record or collection in draft 04, base64url text before. */
  readonly rawEvidence?: unknown;
  readonly submodules: Readonly<Record<string, EarSubmodule>>;
}

export interface EarSubmodule {
  readonly status: TrustTier;
  readonly vector: TrustworthinessVector;
  readonly policyIds: readonly string[];
  readonly attesterClaims: Readonly<Record<string, unknown>>;
  readonly verifierClaims: Readonly<Record<string, unknown>>;
}

/** Profiles this reader knows: the IETF drafts and the dialects of Veraison and Trustee, which write dotted names. */
export const earProfiles: readonly string[] = Object.freeze([
  EAR_PROFILE,
  'tag:ietf.org,2026:rats/ear#03',
  'tag:ietf.org,2025-07:ear',
  'tag:github.com,2023:veraison/ear',
  'tag:github.com,2024:confidential-containers/Trustee',
]);

/** Member names that had a dot before draft 03, and what they are called now. */
const renamed: Readonly<Record<string, string>> = Object.freeze({
  'ear.status': 'ear_status',
  'ear.trustworthiness-vector': 'ear_trustworthiness_vector',
  'ear.appraisal-policy-id': 'ear_appraisal_policy_ids',
  'ear.verifier-id': 'ear_verifier_id',
  'ear.raw-evidence': 'ear_raw_evidence',
  // Claims of the attester, annotated by the verifier; draft 04 keeps the two apart.
  'ear.veraison.annotated-evidence': 'ear_attester_claims',
  'ear.veraison.policy-claims': 'ear_verifier_claims',
});

// Some writers send the tier's integer instead of its name.
const tierNumbers: Readonly<Record<number, TrustTier>> = Object.freeze({
  0: 'none',
  2: 'affirming',
  32: 'warning',
  96: 'contraindicated',
});
const status = z.union([
  z.enum(trustTiers),
  z.literal([0, 2, 32, 96]).transform((value): TrustTier => tierNumbers[value] ?? 'contraindicated'),
]);
const oneOrMore = z.union([z.string().transform((text) => [text]), z.array(z.string()).max(64)]);
const claimsMap = z.record(z.string(), z.unknown());

const submodule = z.object({
  ear_status: status,
  ear_trustworthiness_vector: trustworthinessVectorSchema.default({}),
  ear_appraisal_policy_ids: oneOrMore.default([]),
  ear_attester_claims: claimsMap.default({}),
  ear_verifier_claims: claimsMap.default({}),
});

const ear = z.object({
  eat_profile: z.string(),
  ear_status: status.optional(),
  iat: z.int().min(0),
  exp: z.int().min(0).optional(),
  ear_verifier_id: verifierIdSchema,
  ear_raw_evidence: z.unknown().optional(),
  eat_nonce: oneOrMore.default([]),
  submods: z.record(z.string(), z.unknown()),
});

/**
 * Reads the claims set of an EAR whose signature the caller has verified; the clock is the caller's business as well.
 * Throws EAR_PROFILE_UNKNOWN, EAR_MALFORMED, and EAR_STATUS_OVERSTATED when a status is better than its vector.
 */
export function readEar(value: unknown): Ear {
  const claims = modernise(value);
  const profile = claims['eat_profile'];
  if (typeof profile !== 'string' || !earProfiles.includes(profile)) {
    throw new FastnessError('EAR_PROFILE_UNKNOWN', typeof profile === 'string' ? profile.slice(0, 100) : 'No profile.');
  }
  const read = check(ear, claims);
  const entries = Object.entries(read.submods);
  if (entries.length === 0) throw new FastnessError('EAR_MALFORMED', 'No submodules.');
  const submodules = Object.fromEntries(entries.map(([label, content]) => [label, readSubmodule(label, content)]));
  const worst = Object.values(submodules).reduce<TrustTier>(
    (tier, each) => (isWorse(each.status, tier) ? each.status : tier),
    'none',
  );
  if (read.ear_status !== undefined && isWorse(worst, read.ear_status)) {
    throw new FastnessError('EAR_STATUS_OVERSTATED', `Status ${read.ear_status}, worst submodule ${worst}.`);
  }
  return {
    profile,
    status: read.ear_status ?? worst,
    issuedAt: read.iat,
    ...(read.exp === undefined ? {} : { expiresAt: read.exp }),
    verifierId: read.ear_verifier_id,
    nonces: read.eat_nonce,
    ...(read.ear_raw_evidence === undefined ? {} : { rawEvidence: read.ear_raw_evidence }),
    submodules,
  };
}

function readSubmodule(label: string, content: unknown): EarSubmodule {
  const read = check(submodule, modernise(content));
  const vector = read.ear_trustworthiness_vector;
  const worst = worstTier(vector);
  if (isWorse(worst, read.ear_status)) {
    throw new FastnessError('EAR_STATUS_OVERSTATED', `${label}: status ${read.ear_status}, vector ${worst}.`);
  }
  return {
    status: read.ear_status,
    vector,
    policyIds: read.ear_appraisal_policy_ids,
    attesterClaims: read.ear_attester_claims,
    verifierClaims: read.ear_verifier_claims,
  };
}

/** Copies members under their names of today. A member under both names would leave open which one counts. */
function modernise(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FastnessError('EAR_MALFORMED', 'Not an object.');
  const members = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) {
    const modern = renamed[name] ?? name;
    if (members.has(modern)) throw new FastnessError('EAR_MALFORMED', `${modern} occurs under two names.`);
    members.set(modern, member);
  }
  return Object.fromEntries(members);
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new FastnessError('EAR_MALFORMED', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
