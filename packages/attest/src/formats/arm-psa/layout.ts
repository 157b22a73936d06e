import type { ArmPsaProfile } from '../../policy/arm-psa.ts';
import type { ArmMessageCodes } from '../arm/message.ts';

/** Codes of the one message that a PSA token is. */
export const psaMessageCodes = Object.freeze({
  tag: 'PSA_TAG',
  mac0: 'PSA_MAC0',
  algorithm: 'PSA_ALGORITHM',
  header: 'PSA_HEADER',
  payload: 'PSA_PAYLOAD',
} as const satisfies ArmMessageCodes);

/** Lengths that a nonce can have, and that expected report data must have (RFC 9783, section 4.1.1). */
export const PSA_NONCE_BYTES: readonly number[] = Object.freeze([32, 48, 64]);

/** The keys of claims under one profile, and the rules that differ. */
export interface PsaProfileFacts {
  readonly profile: ArmPsaProfile;
  readonly keys: {
    readonly profile: number;
    readonly nonce: number;
    readonly instanceId: number;
    readonly implementationId: number;
    readonly clientId: number;
    readonly lifecycle: number;
    readonly components: number;
    readonly bootSeed: number;
    readonly certification: number;
    readonly verificationService: number;
    /** Says that nothing was measured; there since the profile stands for the claim it replaces. */
    readonly noMeasurements?: number;
  };
  /** Lengths of the boot seed, and whether it must be there. */
  readonly bootSeed: { readonly least: number; readonly most: number; readonly required: boolean };
  readonly certification: RegExp;
}

/** Claims of EAT, and those that Arm registered (RFC 9783, section 4). */
const keys = {
  profile: 265,
  nonce: 10,
  instanceId: 256,
  implementationId: 2396,
  clientId: 2394,
  lifecycle: 2395,
  components: 2399,
  bootSeed: 268,
  certification: 2398,
  verificationService: 2400,
};
const ean13plus5 = /^[0-9]{13}-[0-9]{5}$/;

/**
 * The profiles: that of RFC 9783; the draft before it, with a key of its own for the boot seed; and the first one, in the
 * range for private use (RFC 9783, section 4.6; draft-tschofenig-rats-psa-token-07), whose boot seed is mandatory and whose
 * certification reference may lack its version.
 */
export const psaProfiles: readonly PsaProfileFacts[] = Object.freeze([
  {
    profile: 'tag:psacertified.org,2023:psa#tfm',
    keys,
    bootSeed: { least: 8, most: 32, required: false },
    certification: ean13plus5,
  },
  {
    profile: 'http://arm.com/psa/2.0.0',
    keys: { ...keys, bootSeed: 2397 },
    bootSeed: { least: 8, most: 32, required: false },
    certification: ean13plus5,
  },
  {
    profile: 'PSA_IOT_PROFILE_1',
    keys: {
      profile: -75000,
      nonce: -75008,
      instanceId: -75009,
      implementationId: -75003,
      clientId: -75001,
      lifecycle: -75002,
      components: -75006,
      bootSeed: -75004,
      certification: -75005,
      verificationService: -75010,
      noMeasurements: -75007,
    },
    bootSeed: { least: 32, most: 32, required: true },
    certification: /^[0-9]{13}(?:-[0-9]{5})?$/,
  },
]);
