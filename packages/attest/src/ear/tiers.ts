import type { Claims } from '../claims/claims.ts';

/**
 * Trustworthiness claims and tiers of AR4SI (draft-ietf-rats-ar4si, section 2.3): each claim is an integer whose range
 * says how far to trust that aspect of the attester.
 */
export const trustClaims = Object.freeze([
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const);
export type TrustClaim = (typeof trustClaims)[number];
export type TrustworthinessVector = Partial<Record<TrustClaim, number>>;

/** From best to worst, but for `none`, which says nothing. */
export const trustTiers = Object.freeze(['none', 'affirming', 'warning', 'contraindicated'] as const);
export type TrustTier = (typeof trustTiers)[number];

/** Integers that stand for a tier as a whole. */
export const AFFIRMING = 2;
/** `executables`: only approved executables were loaded during boot; nothing is said about later. */
export const APPROVED_BOOT = 3;
export const WARNING = 32;
export const CONTRAINDICATED = 96;
export const NO_CLAIM = 0;

/** What a format contributes to attestation results. */
export interface Trustworthiness {
  /** What claims support when nothing was waived. Frozen or fresh; not changed by the caller. */
  readonly vectorOf: (claims: Claims) => TrustworthinessVector;
  /** What each waivable check of the format takes away when it was waived; waivers only ever make a claim worse. */
  readonly waiverEffects: Readonly<Record<string, TrustworthinessVector>>;
}

/**
 * What a genuine TEE supports: hardware and identity that somebody who counts vouches for, a configuration and a measurement
 * that the policy names (booting, and not what is loaded later), memory that the host cannot read.
 */
export const confidentialVector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'runtime-opaque': AFFIRMING,
});

/** What debugging takes away: whoever debugs reads the memory and changes what runs. */
export const debuggable: TrustworthinessVector = Object.freeze({
  configuration: CONTRAINDICATED,
  executables: CONTRAINDICATED,
  'runtime-opaque': CONTRAINDICATED,
});

/** What a missing revocation list takes away: nobody knows whether the identity and the hardware behind it are still good. */
export const unrevoked: TrustworthinessVector = Object.freeze({ 'instance-identity': WARNING, hardware: WARNING });

/**
 * What the simulated TEE amounts to: hardware that is recognised and must not be relied on (nothing but software made the
 * report), memory that the host can read, and neither identity nor measurement that anybody vouches for. So the status of
 * simulated evidence is `contraindicated`, whatever else holds.
 */
export const simulatedVector: TrustworthinessVector = Object.freeze({
  'instance-identity': NO_CLAIM,
  configuration: NO_CLAIM,
  executables: NO_CLAIM,
  hardware: CONTRAINDICATED,
  'runtime-opaque': CONTRAINDICATED,
});

/** The tier of one claim. Values outside -128..127 are not AR4SI and count as contraindicated. */
export function tierOf(value: number): TrustTier {
  if (value >= -1 && value <= 1) return 'none';
  if ((value >= 2 && value <= 31) || (value >= -32 && value <= -2)) return 'affirming';
  if ((value >= 32 && value <= 95) || (value >= -96 && value <= -33)) return 'warning';
  return 'contraindicated';
}

/** The worst tier among the claims of a vector; `none` for one that claims nothing. */
export function worstTier(vector: TrustworthinessVector): TrustTier {
  return Object.values(vector)
    .map((value) => tierOf(value))
    .reduce<TrustTier>((worst, tier) => (isWorse(tier, worst) ? tier : worst), 'none');
}

export function isWorse(tier: TrustTier, than: TrustTier): boolean {
  return trustTiers.indexOf(tier) > trustTiers.indexOf(than);
}
