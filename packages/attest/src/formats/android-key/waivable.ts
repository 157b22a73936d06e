/**
 * Checks of Android key attestations that a policy may waive by name.
 *
 * - ANDROID_STATUS_MISSING: keys that leaked and were revoked are accepted; software forges attestations with them.
 * - ANDROID_UNLOCKED: whoever holds the device can run any system; the key itself stays in secure hardware.
 * - ANDROID_BOOT_STATE: the system that runs was not verified, and what Android states may be anybody's words.
 */
export const androidKeyWaivableChecks = Object.freeze([
  'ANDROID_STATUS_MISSING',
  'ANDROID_UNLOCKED',
  'ANDROID_BOOT_STATE',
] as const);
