import { anyOf, type Checklist } from '../../checks.ts';
import type { AndroidKeyPolicy } from '../../policy/android-key.ts';
import type { ApplicationId } from './application-id.ts';
import type { KeyDescription } from './key-description.ts';

/**
 * Which application asked. All packages under one user id are named, and any of them can use the key: so each must be one of
 * the policy, under a signer that the policy names for it.
 */
export function appraiseApplication(
  { softwareEnforced }: KeyDescription,
  { applications }: AndroidKeyPolicy,
  checks: Checklist,
): void {
  if (applications === undefined) {
    checks.notApplicable('ANDROID_APPLICATION_NOT_ALLOWED', 'the policy lists none');
    return;
  }
  const { applicationId } = softwareEnforced;
  const listed = applicationId !== undefined && applicationId.packages.length > 0;
  const allowed =
    listed &&
    applicationId.packages.every(({ name, version }) =>
      applications.some(
        (entry) =>
          entry.package === name &&
          version >= (entry.minimumVersion ?? 0) &&
          applicationId.signers.length > 0 &&
          applicationId.signers.every((signer) => entry.signers.includes(signer)),
      ),
    );
  checks.require('ANDROID_APPLICATION_NOT_ALLOWED', allowed, {
    expected: anyOf(applications.map((entry) => entry.package)),
    actual: describe(applicationId),
  });
}

/** Which device it is, where the device attests that. */
export function appraiseIds({ hardwareEnforced }: KeyDescription, { ids }: AndroidKeyPolicy, checks: Checklist): void {
  if (ids === undefined) checks.notApplicable('ANDROID_ID_NOT_ALLOWED', 'the policy lists none');
  for (const [name, values] of Object.entries(ids ?? {})) {
    const value = hardwareEnforced.ids[name];
    checks.require('ANDROID_ID_NOT_ALLOWED', value !== undefined && values.includes(value), {
      expected: `${name} ${anyOf(values)}`,
      actual: value?.slice(0, 128) ?? 'not attested',
    });
  }
}

function describe(id: ApplicationId | undefined): string {
  if (id === undefined) return 'no application';
  const packages = id.packages.map(({ name, version }) => `${name.slice(0, 96)} ${version}`);
  return `${packages.join(', ')} signed by ${id.signers.join(', ') || 'nobody'}`.slice(0, 512);
}
