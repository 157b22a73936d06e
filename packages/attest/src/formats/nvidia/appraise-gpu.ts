import { anyOf, type Checklist } from '../../checks.ts';
import type { NvidiaGpuPolicy } from '../../policy/nvidia.ts';
import type { AuthenticReport } from './stages.ts';

const defaultModes = Object.freeze(['spt', 'mpt', 'unstated'] as const);

/** What a policy asks of GPUs only. Returns whether developer tools are on, which only a waiver lets pass. */
export function appraiseGpu(
  { report, device, settings }: AuthenticReport,
  policy: NvidiaGpuPolicy,
  checks: Checklist,
): boolean {
  const { architectures, modes = defaultModes, minimumDriverVersion, deniedDriverVersions = [] } = policy;
  const { driverVersion = '', mode = 'unstated', protectedPcie } = report.gpu ?? {};
  const allowed: readonly string[] = architectures;
  checks.require('NVIDIA_ARCHITECTURE_NOT_ALLOWED', allowed.includes(device.architecture), {
    expected: anyOf(architectures),
    actual: device.architecture,
  });
  const contradictory = protectedPcie !== undefined && mode !== 'unstated' && protectedPcie !== (mode === 'ppcie');
  checks.require('NVIDIA_MODE_CONTRADICTORY', !contradictory, {
    expected: `protected PCIe ${mode === 'ppcie' ? 'on' : 'off'}, as mode ${mode} says`,
    actual: contradictory ? 'the contrary' : 'as it says',
  });
  const accepted: readonly string[] = modes;
  checks.require('NVIDIA_MODE_NOT_ALLOWED', accepted.includes(mode), { expected: anyOf(modes), actual: mode });
  const debug = appraiseSettings(settings, mode, checks);

  const low = minimumDriverVersion !== undefined && isOlder(driverVersion, minimumDriverVersion);
  if (minimumDriverVersion === undefined && deniedDriverVersions.length === 0) {
    checks.notApplicable('NVIDIA_DRIVER_NOT_ALLOWED', 'the policy names no version');
  } else {
    checks.require('NVIDIA_DRIVER_NOT_ALLOWED', !low && !deniedDriverVersions.includes(driverVersion), {
      expected: `${minimumDriverVersion ?? 'any version'} or later${deniedDriverVersions.length === 0 ? '' : `, but not ${anyOf(deniedDriverVersions)}`}`,
      actual: driverVersion,
    });
  }
  return debug;
}

/**
 * Reports have no field for either setting. With confidential computing off there is usually no report, and developer tools
 * change measurements with some drivers; neither is documented as a promise, so the driver's own words are required.
 */
function appraiseSettings(settings: AuthenticReport['settings'], mode: string, checks: Checklist): boolean {
  const said = settings !== undefined;
  checks.requireUnlessWaived('NVIDIA_SETTINGS_ABSENT', said, {
    expected: 'the settings of the driver',
    actual: said ? 'the settings' : 'none',
  });
  if (settings === undefined) {
    checks.notApplicable('NVIDIA_CC_OFF', 'the evidence does not say; its absence is waived');
    checks.notApplicable('NVIDIA_DEVTOOLS', 'the evidence does not say; its absence is waived');
    return false;
  }
  const { confidentialComputing, developerTools } = settings;
  // Protected PCIe is a setting of its own, and confidential computing is off beside it.
  const protectedAnyway = mode === 'ppcie';
  checks.require('NVIDIA_CC_OFF', confidentialComputing || protectedAnyway, {
    expected: 'confidential computing or protected PCIe on',
    actual: `confidential computing ${confidentialComputing ? 'on' : 'off'}, mode ${mode}`,
  });
  checks.requireUnlessWaived('NVIDIA_DEVTOOLS', !developerTools, {
    expected: 'developer tools off',
    actual: developerTools ? 'on' : 'off',
  });
  return developerTools;
}

/** Compares versions number by number; what one has more counts as later. */
function isOlder(version: string, floor: string): boolean {
  const [one, two] = [version.split('.').map(Number), floor.split('.').map(Number)];
  for (let place = 0; place < Math.max(one.length, two.length); place += 1) {
    const difference = (one[place] ?? 0) - (two[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
