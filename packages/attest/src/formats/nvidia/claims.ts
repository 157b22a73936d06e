import { toHex } from '@fastness/codec';
import type { NvidiaGpuClaims, NvidiaReference, NvidiaSwitchClaims } from '../../claims/nvidia.ts';
import type { AuthenticReport } from './stages.ts';

/** The facts of an appraised report. */
export function claimsOf(
  { report, device, settings, rims, measurement, at }: AuthenticReport,
  appraised: { readonly debug: boolean; readonly uncovered: readonly number[] },
): NvidiaGpuClaims | NvidiaSwitchClaims {
  const ends = rims.flatMap(({ document }) => document.signed.certificates.map(({ notAfter }) => notAfter.getTime()));
  const references = rims.map(({ role, document }): NvidiaReference => {
    const { version, tagId, measurements } = document;
    return Object.freeze({ role, version, tagId, measurements: measurements.size });
  });
  const common = {
    simulated: false,
    vendor: 'NVIDIA',
    identity: Object.freeze({ kind: 'nvidia-device-id', value: device.id } as const),
    ueid: device.ueid,
    chip: device.chip,
    hardwareModel: device.hardwareModel,
    vbiosVersion: report.vbiosVersion,
    measurement,
    references: Object.freeze(references),
    uncovered: Object.freeze([...appraised.uncovered]),
    ...(ends.length === 0 ? {} : { referencesValidUntil: new Date(Math.min(...ends)).toISOString() }),
    reportData: toHex(report.nonce),
    verifiedAt: new Date(at).toISOString(),
  } as const;
  const { gpu, pdi = '', neighbours } = report;
  if (gpu === undefined || device.architecture === 'ls10') {
    return Object.freeze({
      ...common,
      tee: 'nvidia-nvswitch',
      architecture: 'ls10',
      debug: false,
      pdi,
      gpus: neighbours,
    });
  }
  return Object.freeze({
    ...common,
    tee: 'nvidia-gpu',
    architecture: device.architecture,
    debug: appraised.debug,
    driverVersion: gpu.driverVersion,
    mode: gpu.mode,
    ...(settings === undefined ? {} : { settings }),
    switches: neighbours,
  });
}
