import { anyOf, type Checklist } from '../../checks.ts';
import type { AndroidKeyPolicy } from '../../policy/android-key.ts';
import type { KeyDescription } from './key-description.ts';
import { keyAlgorithms, keyOrigins, keyPurposes } from './layout.ts';

/** What the secure hardware says about the key itself. */
export function appraiseKey(description: KeyDescription, section: AndroidKeyPolicy, checks: Checklist): void {
  const { hardwareEnforced, softwareEnforced } = description;
  const origin = nameOf(keyOrigins, hardwareEnforced.origin);
  if (section.origin === 'any') checks.notApplicable('ANDROID_KEY_ORIGIN', 'the policy accepts any');
  else checks.require('ANDROID_KEY_ORIGIN', origin === 'generated', { expected: 'generated', actual: origin });
  const algorithm = nameOf(keyAlgorithms, hardwareEnforced.algorithm);
  const algorithms: readonly string[] | undefined = section.algorithms;
  if (algorithms === undefined) checks.notApplicable('ANDROID_KEY_ALGORITHM', 'the policy accepts any');
  else
    checks.require('ANDROID_KEY_ALGORITHM', algorithms.includes(algorithm), {
      expected: anyOf(algorithms),
      actual: algorithm,
    });
  const purposes = (hardwareEnforced.purposes ?? []).map((purpose) => nameOf(keyPurposes, purpose));
  const allowed: readonly string[] | undefined = section.purposes;
  if (allowed === undefined) checks.notApplicable('ANDROID_KEY_PURPOSE', 'the policy accepts any');
  else {
    const sound = purposes.length > 0 && purposes.every((purpose) => allowed.includes(purpose));
    checks.require('ANDROID_KEY_PURPOSE', sound, {
      expected: `nothing but ${allowed.join(' and ')}`,
      actual: purposes.join(' and ') || 'no purpose',
    });
  }
  if (section.userAuthentication !== 'required')
    checks.notApplicable('ANDROID_KEY_UNGUARDED', 'the policy does not ask for authentication');
  else {
    const free = hardwareEnforced.noAuthRequired || softwareEnforced.noAuthRequired;
    checks.require('ANDROID_KEY_UNGUARDED', !free, {
      expected: 'a key that wants its user to authenticate',
      actual: free ? 'a key that does not' : 'such a key',
    });
  }
}

function nameOf(names: ReadonlyMap<number, string>, number: number | undefined): string {
  return number === undefined ? 'none' : (names.get(number) ?? `number ${number}`);
}
