import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/**
 * NVIDIA's management library, NVML: nvml.h as it comes with the drivers of branches 550 to 595 (NVML API reference, chapters
 * "Initialization and Cleanup", "Device Queries" and "Confidential Computing"). Integers are of 32 bits and little-endian:
 * there are no other machines with such GPUs.
 */
export const NVML_LIBRARY = 'libnvidia-ml.so.1';

/** Functions that are called, and the types of their arguments. The last two came later than the others. */
export const prototypes = Object.freeze({
  nvmlInit_v2: [],
  nvmlShutdown: [],
  nvmlDeviceGetCount_v2: ['uint64'],
  nvmlDeviceGetHandleByIndex_v2: ['uint32', 'uint64'],
  nvmlDeviceGetUUID: ['uint64', 'uint64', 'uint32'],
  nvmlDeviceGetArchitecture: ['uint64', 'uint64'],
  nvmlDeviceGetConfComputeGpuCertificate: ['uint64', 'uint64'],
  nvmlDeviceGetConfComputeGpuAttestationReport: ['uint64', 'uint64'],
  nvmlSystemGetConfComputeState: ['uint64'],
  nvmlSystemGetConfComputeGpusReadyState: ['uint64'],
  nvmlSystemGetConfComputeSettings: ['uint64'],
} as const);
export type FunctionName = keyof typeof prototypes;
/** Without them there is another way, or something less to say. */
export const optional: ReadonlySet<string> = new Set([
  'nvmlSystemGetConfComputeSettings',
  'nvmlSystemGetConfComputeGpusReadyState',
]);

/** nvmlReturn_t. */
const returned = Object.freeze({
  1: 'NVML_ERROR_UNINITIALIZED',
  2: 'NVML_ERROR_INVALID_ARGUMENT',
  3: 'NVML_ERROR_NOT_SUPPORTED',
  4: 'NVML_ERROR_NO_PERMISSION',
  6: 'NVML_ERROR_NOT_FOUND',
  7: 'NVML_ERROR_INSUFFICIENT_SIZE',
  9: 'NVML_ERROR_DRIVER_NOT_LOADED',
  10: 'NVML_ERROR_TIMEOUT',
  11: 'NVML_ERROR_IRQ_ISSUE',
  12: 'NVML_ERROR_LIBRARY_NOT_FOUND',
  13: 'NVML_ERROR_FUNCTION_NOT_FOUND',
  15: 'NVML_ERROR_GPU_IS_LOST',
  16: 'NVML_ERROR_RESET_REQUIRED',
  17: 'NVML_ERROR_OPERATING_SYSTEM',
  18: 'NVML_ERROR_LIB_RM_VERSION_MISMATCH',
  19: 'NVML_ERROR_IN_USE',
  20: 'NVML_ERROR_MEMORY',
  25: 'NVML_ERROR_ARGUMENT_VERSION_MISMATCH',
  28: 'NVML_ERROR_GPU_NOT_FOUND',
  999: 'NVML_ERROR_UNKNOWN',
} as Readonly<Record<number, string>>);
/** What the reader has to do something about in another way than for a refusal. */
const codes: Readonly<Record<number, ErrorCode>> = Object.freeze({
  3: 'EVIDENCE_GPU_UNSUPPORTED',
  4: 'EVIDENCE_GPU_PERMISSION',
  9: 'EVIDENCE_GPU_DRIVER',
  10: 'EVIDENCE_TIMEOUT',
  12: 'EVIDENCE_GPU_DRIVER',
  13: 'EVIDENCE_GPU_DRIVER_VERSION',
  // The device files are there, and a container's rules keep this process from them.
  17: 'EVIDENCE_GPU_PERMISSION',
  18: 'EVIDENCE_GPU_DRIVER_VERSION',
  25: 'EVIDENCE_GPU_DRIVER_VERSION',
  28: 'EVIDENCE_GPU_ABSENT',
});

/** nvmlConfComputeGpuAttestationReport_t: three words, nonce, report (0x2000), report of an external controller (0x1000). */
export const REPORT = Object.freeze({ bytes: 12 + 32 + 0x2000 + 0x1000, sizeAt: 4, nonceAt: 12, at: 44, most: 0x2000 });
/** nvmlConfComputeGpuCertificate_t: two sizes, chain of the session key (0x1000), chain of the attestation key (0x1400). */
export const CHAIN = Object.freeze({ bytes: 8 + 0x1000 + 0x1400, sizeAt: 4, at: 8 + 0x1000, most: 0x1400 });
/** nvmlSystemConfComputeSettings_t, version 1: version, environment, ccFeature, devToolsMode, multiGpuMode. */
export const SETTINGS_BYTES = 20;
export const SETTINGS_VERSION = 0x0100_0000 | SETTINGS_BYTES;
/** nvmlConfComputeSystemState_t: environment, ccFeature, devToolsMode. */
export const STATE_BYTES = 12;
/** NVML_DEVICE_UUID_V2_BUFFER_SIZE. */
export const UUID_BYTES = 96;
export const MAX_GPUS = 100;
export const NVML_NONCE_BYTES = 32;

/** NVML_DEVICE_ARCH_...: others do not attest, or are not known here. */
export const architectures: Readonly<Record<number, 'hopper' | 'blackwell'>> = Object.freeze({
  9: 'hopper',
  10: 'blackwell',
});
/** NVML_CC_SYSTEM_MULTIGPU_... by number. */
export const multiGpuModes = Object.freeze(['none', 'protected-pcie', 'nvle'] as const);

/** What a return value other than NVML_SUCCESS means for whoever reads it. */
export function refusal(name: FunctionName, answer: number): FastnessError {
  const said = returned[answer] ?? `error ${answer}`;
  return new FastnessError(codes[answer] ?? 'EVIDENCE_REFUSED', `${name}: ${said}.`);
}

export function malformed(what: string): FastnessError {
  return new FastnessError('EVIDENCE_RESPONSE', `NVML: ${what}.`);
}
