import { Checklist, type CheckRecord } from './checks.ts';
import type { AttestationPolicy } from './policy/policy.ts';

/**
 * Compares the devices that the evidence brings with those that the policy asks for. Also called for evidence of a processor
 * alone: a host must not get round the GPUs that a policy requires by leaving their evidence out.
 * `kinds`: the kind of every device, once for each. Throws ATTEST_DEVICE_NOT_ALLOWED, _MISSING, _TOO_MANY.
 */
export function requireDevices(policy: AttestationPolicy, kinds: readonly string[]): readonly CheckRecord[] {
  const checks: Checklist = new Checklist([]);
  const wanted = policy.devices ?? [];
  const stranger = kinds.find((kind) => !wanted.some((entry) => entry.kind === kind));
  checks.require('ATTEST_DEVICE_NOT_ALLOWED', stranger === undefined, {
    expected: wanted.map(({ kind }) => kind).join(' or ') || 'no device',
    actual: stranger ?? (kinds.length === 0 ? 'none' : 'nothing else'),
  });
  for (const { kind, minimum, maximum = minimum } of wanted) {
    const count = kinds.filter((each) => each === kind).length;
    checks.require('ATTEST_DEVICE_MISSING', count >= minimum, {
      expected: `at least ${minimum} of ${kind}`,
      actual: `${count}`,
    });
    checks.require('ATTEST_DEVICE_TOO_MANY', count <= maximum, {
      expected: `at most ${maximum} of ${kind}`,
      actual: `${count}`,
    });
  }
  return checks.results().checks;
}
