import { FastnessError } from '@fastness/codec/errors';

/** Checks that a deployment may do without, by name and with a reason. */
export const waivableChecks = ['ENCLAVE_SWAP_ACTIVE', 'ENCLAVE_CLOCK_SOURCE'] as const;

export interface Waiver {
  readonly check: (typeof waivableChecks)[number];
  readonly reason: string;
}

/**
 * Waivers that count on real hardware. The configuration file is not enough: the host may have written it, and nobody
 * who verifies the evidence would see. This list is code, so it is measured, and whoever approves an image that names a
 * check here has approved doing without it. The configuration still has to name it too, with the reason.
 */
const allowedByImage: readonly Waiver['check'][] = [];

/** Counts time in the processor; with Secure TSC (AMD) or inside a TDX module's guest the host cannot touch it. */
const TRUSTED_CLOCK = 'tsc';

/**
 * What holds once the enclave knows what makes its evidence, and before it asks for a key. Simulated evidence protects
 * nothing and says so to every verifier, so there any waiver will do and any clock.
 *
 * `tsc` alone is no proof: without Secure TSC a host can still scale what the guest reads. It is what the kernel can
 * tell; the launch policy and the verifier see to the rest.
 * @throws ENCLAVE_WAIVER, ENCLAVE_CLOCK_SOURCE
 */
export function requireHardwareRules(options: {
  readonly simulated: boolean;
  readonly waivers: readonly Waiver[];
  readonly clockSource: string;
  readonly allowed?: readonly Waiver['check'][];
}): void {
  const { simulated, waivers, clockSource, allowed = allowedByImage } = options;
  if (simulated) return;
  const refused = waivers.find(({ check }) => !allowed.includes(check));
  if (refused !== undefined) throw new FastnessError('ENCLAVE_WAIVER', `${refused.check}.`);
  if (clockSource !== TRUSTED_CLOCK && !waivers.some(({ check }) => check === 'ENCLAVE_CLOCK_SOURCE')) {
    throw new FastnessError('ENCLAVE_CLOCK_SOURCE', `It is ${clockSource}, not ${TRUSTED_CLOCK}.`);
  }
}
