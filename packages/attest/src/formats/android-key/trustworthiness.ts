import {
  AFFIRMING,
  APPROVED_BOOT,
  CONTRAINDICATED,
  unrevoked,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';

/**
 * What a verdict on an Android key supports: secure hardware that Google certified; a verified boot; a key that does not
 * leave that hardware. Nothing is claimed about the memory of applications, which Android and its kernel can read.
 */
const vector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
  'storage-opaque': AFFIRMING,
});

/** What Android key attestations contribute to attestation results. */
export const androidKeyTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: () => vector,
  waiverEffects: Object.freeze({
    ANDROID_STATUS_MISSING: unrevoked,
    ANDROID_UNLOCKED: { configuration: CONTRAINDICATED, executables: CONTRAINDICATED },
    ANDROID_BOOT_STATE: { configuration: CONTRAINDICATED, executables: CONTRAINDICATED },
  }),
});
