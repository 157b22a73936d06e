import { anyOf, type Checklist } from '../../checks.ts';
import type { AndroidKeyPolicy } from '../../policy/android-key.ts';
import type { AuthorizationList, RootOfTrust } from './authorization-list.ts';
import type { KeyDescription } from './key-description.ts';

/**
 * What the boot loader told the secure hardware: only what that enforces counts. Returns whether the device is unlocked, so
 * that its owner or whoever holds it can run any system; a waiver alone lets that pass.
 */
export function appraiseBoot(
  { hardwareEnforced }: KeyDescription,
  section: AndroidKeyPolicy,
  measurements: readonly string[] | undefined,
  checks: Checklist,
): boolean {
  const { rootOfTrust } = hardwareEnforced;
  checks.require('ANDROID_ROOT_OF_TRUST_MISSING', rootOfTrust !== undefined, {
    expected: 'a root of trust among what the hardware enforces',
    actual: rootOfTrust === undefined ? 'none' : 'one',
  });
  const { deviceLocked, verifiedBootState } = rootOfTrust;
  checks.requireUnlessWaived('ANDROID_UNLOCKED', deviceLocked, {
    expected: 'a locked boot loader',
    actual: deviceLocked ? 'locked' : 'unlocked',
  });
  const states: readonly string[] = section.bootStates ?? ['verified'];
  checks.requireUnlessWaived('ANDROID_BOOT_STATE', states.includes(verifiedBootState), {
    expected: anyOf(states),
    actual: verifiedBootState,
  });
  requireKeyAndHash(rootOfTrust, section, measurements, checks);
  requirePatchLevels(hardwareEnforced, section, checks);
  return !deviceLocked;
}

function requireKeyAndHash(
  { verifiedBootKey, verifiedBootHash }: RootOfTrust,
  { verifiedBootKeys }: AndroidKeyPolicy,
  measurements: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (verifiedBootKeys === undefined) checks.notApplicable('ANDROID_BOOT_KEY_NOT_ALLOWED', 'the policy lists none');
  else
    checks.require('ANDROID_BOOT_KEY_NOT_ALLOWED', verifiedBootKeys.includes(verifiedBootKey), {
      expected: anyOf(verifiedBootKeys),
      actual: verifiedBootKey.slice(0, 128),
    });
  if (measurements === undefined) checks.notApplicable('ANDROID_MEASUREMENT_NOT_ALLOWED', 'the policy lists none');
  else
    checks.require('ANDROID_MEASUREMENT_NOT_ALLOWED', measurements.includes(verifiedBootHash ?? ''), {
      expected: anyOf(measurements),
      actual: verifiedBootHash?.slice(0, 128) ?? 'no boot hash',
    });
}

function requirePatchLevels(list: AuthorizationList, { minimumPatch }: AndroidKeyPolicy, checks: Checklist): void {
  if (minimumPatch === undefined) checks.notApplicable('ANDROID_PATCH_LOW', 'the policy has no floors');
  const { osVersion, osPatchLevel, vendorPatchLevel, bootPatchLevel } = list;
  const levels = {
    osVersion,
    osPatchLevel,
    vendorPatchLevel: days(vendorPatchLevel),
    bootPatchLevel: days(bootPatchLevel),
  };
  for (const name of ['osVersion', 'osPatchLevel', 'vendorPatchLevel', 'bootPatchLevel'] as const) {
    const floor = minimumPatch?.[name];
    if (floor === undefined) continue;
    const level = levels[name];
    checks.require('ANDROID_PATCH_LOW', level !== undefined && level >= floor, {
      expected: `${name} at least ${floor}`,
      actual: level === undefined ? 'none' : `${level}`,
    });
  }
}

/** YYYYMM of old devices as YYYYMM00, before any day of that month. */
function days(level: number | undefined): number | undefined {
  return level !== undefined && level < 1_000_000 ? level * 100 : level;
}
