import type { NvidiaGpuClaims, NvidiaSwitchClaims } from '../../claims/nvidia.ts';
import { failed } from '../../checks.ts';

/**
 * Requires that several verdicts are about as many devices: each chip's certificate, and each leaf, once. One report can be
 * shown as many times as a host likes, so N accepted reports alone do not mean N devices. Also whoever shows one device under
 * two firmwares is found out, because the chip's certificate stays.
 * @throws NVIDIA_DEVICE_REPEATED
 */
export function requireDistinctDevices(claims: readonly (NvidiaGpuClaims | NvidiaSwitchClaims)[]): void {
  const seen = new Set<string>();
  for (const { tee, identity, ueid } of claims) {
    for (const name of [`device ${identity.value}`, `leaf ${ueid}`]) {
      if (seen.has(name))
        throw failed('NVIDIA_DEVICE_REPEATED', { expected: 'each device once', actual: `${tee} ${name} twice` });
      seen.add(name);
    }
  }
}
