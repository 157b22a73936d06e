import type { Claims } from '../../claims/claims.ts';
import {
  AFFIRMING,
  APPROVED_BOOT,
  confidentialVector,
  CONTRAINDICATED,
  WARNING,
  type Trustworthiness,
  type TrustworthinessVector,
} from '../../ear/tiers.ts';
import type { NvidiaWaivableCheck } from './waivable.ts';

/** `executables`: something runs that nobody recognises (AR4SI, section 2.3). */
const UNRECOGNISED = 33;
/** `runtime-opaque`: not readable by other guests; not encrypted on every path. */
const ISOLATED = 32;

/**
 * What a verdict on a GPU supports: a chip that NVIDIA vouches for and has not revoked; firmware and driver that NVIDIA
 * published, as they were at boot; genuine hardware; memory that the host cannot read. With protected PCIe the links between
 * the GPUs are not encrypted, so the last is a warning. Nothing says in which machine the GPU sits.
 */
const gpuVector = confidentialVector;
const protectedPcieVector: TrustworthinessVector = Object.freeze({ ...gpuVector, 'runtime-opaque': ISOLATED });
/** A switch keeps nothing, so nothing is claimed about its memory. */
const switchVector: TrustworthinessVector = Object.freeze({
  'instance-identity': AFFIRMING,
  configuration: AFFIRMING,
  executables: APPROVED_BOOT,
  hardware: AFFIRMING,
});

const revocationUnknown = Object.freeze({
  'instance-identity': WARNING,
  hardware: WARNING,
  executables: WARNING,
});

/** What a waiver takes away; see `nvidiaWaivableChecks` for what is lost. */
const waiverEffects: Readonly<Record<NvidiaWaivableCheck, TrustworthinessVector>> = Object.freeze({
  NVIDIA_FWID_ABSENT: { executables: WARNING },
  NVIDIA_RIM_MISSING: { executables: UNRECOGNISED },
  NVIDIA_RIM_VALIDITY: { executables: WARNING },
  NVIDIA_OCSP_MISSING: revocationUnknown,
  NVIDIA_OCSP_EXPIRED: revocationUnknown,
  NVIDIA_CERTIFICATE_HOLD: revocationUnknown,
  NVIDIA_SETTINGS_ABSENT: { configuration: WARNING, 'runtime-opaque': WARNING },
  NVIDIA_DEVTOOLS: { configuration: CONTRAINDICATED, 'runtime-opaque': CONTRAINDICATED },
  NVIDIA_MEASUREMENT_UNCOVERED: { executables: UNRECOGNISED },
});

/** What NVIDIA reports contribute to attestation results. */
export const nvidiaTrustworthiness: Trustworthiness = Object.freeze({
  vectorOf: (claims: Claims) => {
    if (claims.tee === 'nvidia-nvswitch') return switchVector;
    return claims.tee === 'nvidia-gpu' && claims.mode === 'ppcie' ? protectedPcieVector : gpuVector;
  },
  waiverEffects,
});
