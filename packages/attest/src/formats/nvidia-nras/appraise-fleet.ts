import { anyOf, type Checklist } from '../../checks.ts';
import type { NrasDevice } from '../../claims/token.ts';
import type { NvidiaNrasPolicy } from '../../policy/nvidia-nras.ts';

/** The devices together: as many as were asked for, each of them another one, and all of them listed. */
export function appraiseFleet(
  devices: readonly NrasDevice[],
  { deviceCount, devices: lists }: NvidiaNrasPolicy,
  checks: Checklist,
): void {
  checks.require('NRAS_DEVICE_COUNT', devices.length === deviceCount, {
    expected: `${deviceCount}`,
    actual: `${devices.length}`,
  });
  const ueids = devices.map(({ ueid }) => ueid);
  checks.require('NRAS_DEVICE_TWICE', new Set(ueids).size === ueids.length, {
    expected: 'as many devices as tokens',
    actual: `${new Set(ueids).size} devices, ${ueids.length} tokens`,
  });
  const allow = lists?.allow;
  const strangers = ueids.filter((ueid) => allow?.includes(ueid) === false);
  if (allow === undefined) checks.notApplicable('NRAS_DEVICE_NOT_ALLOWED', 'the policy lists none');
  else
    checks.require('NRAS_DEVICE_NOT_ALLOWED', strangers.length === 0, {
      expected: anyOf(allow),
      actual: strangers.length === 0 ? 'all listed' : anyOf(strangers),
    });
  const deny = lists?.deny;
  const denied = ueids.filter((ueid) => deny?.includes(ueid) === true);
  if (deny === undefined) checks.notApplicable('NRAS_DEVICE_DENIED', 'the policy lists none');
  else
    checks.require('NRAS_DEVICE_DENIED', denied.length === 0, {
      expected: `none of ${anyOf(deny)}`,
      actual: denied.length === 0 ? 'none' : anyOf(denied),
    });
}
