import type { ErrorFacts } from './class.ts';

/** Codes of `evidence`: collecting evidence on this machine. */
export const evidenceErrors = Object.freeze({
  EVIDENCE_NO_TEE: {
    class: 'unavailable',
    message: 'No trusted execution environment that Fastness can use was found on this machine.',
    next: 'Run on hardware with a supported TEE, or try things out inside the simulated TEE, which protects nothing.',
  },
  EVIDENCE_REPORT_DATA: {
    class: 'usage',
    message: 'Report data must have as many bytes as the evidence binds: 64, or 32 for devices and TPMs.',
    next: 'Use collectSession, or pass the output of reportDataFor.',
  },
  EVIDENCE_UNREACHABLE: {
    class: 'unavailable',
    message: 'The TEE of this machine cannot be reached.',
    next: 'See the detail and `fastness doctor`; for the simulated TEE, check that it is running and that FASTNESS_SIMULATED_TEE names its socket.',
  },
  EVIDENCE_INSTANCE: {
    class: 'usage',
    message: 'The address of an attestation service is not understood.',
    next: 'Name it as its tokens name their issuer: https://, a host, nothing else.',
  },
  EVIDENCE_API_KEY: {
    class: 'usage',
    message: 'The file with the key of an attestation service cannot be used.',
    next: 'Put the key, and nothing else, into a file of the user of the enclave with mode 0600, and name that file.',
  },
  EVIDENCE_PROVIDER_UNKNOWN: {
    class: 'not-mine',
    message: 'The kernel has a source of reports that this version does not know.',
    next: 'Use a newer version of Fastness; known are sev_guest, tdx_guest and arm_cca_guest.',
  },
  EVIDENCE_NATIVE: {
    class: 'unavailable',
    message: 'The C library, through which this device is used, cannot be called.',
    next: 'Install the package koffi, on Linux with glibc.',
  },
  EVIDENCE_TIMEOUT: {
    class: 'unavailable',
    message: 'The TEE did not answer in time.',
    next: 'Try again; if it persists, look for other programs that use the device and into the log of the kernel, or start the simulated TEE again.',
  },
  EVIDENCE_REFUSED: {
    class: 'unavailable',
    message: 'The TEE refused to make a report.',
    next: 'The detail has the code of the kernel, the firmware or the simulated TEE; the log of the kernel may say more.',
  },
  EVIDENCE_RESPONSE: {
    class: 'invalid',
    message: 'The answer of the TEE is malformed or too large.',
    next: 'Check that driver or command are of a version that is documented, or that the socket belongs to the simulated TEE of the same version.',
  },
  EVIDENCE_GPU_DRIVER: {
    class: 'unavailable',
    message: "NVIDIA's driver, or its management library, is not there.",
    next: "Install NVIDIA's driver with libnvidia-ml.so.1 in the confidential VM and load it; `nvidia-smi` must answer.",
  },
  EVIDENCE_GPU_DRIVER_VERSION: {
    class: 'unavailable',
    message: "NVIDIA's library does not fit the loaded driver, or is too old to attest GPUs.",
    next: 'Restart after an update of the driver; use a driver with confidential computing (R550 or later).',
  },
  EVIDENCE_GPU_ABSENT: {
    class: 'unavailable',
    message: "NVIDIA's driver finds no such device.",
    next: 'Pass the device through to the confidential VM; `nvidia-smi -L` lists what the driver has.',
  },
  EVIDENCE_GPU_UNSUPPORTED: {
    class: 'unavailable',
    message: 'A GPU of this machine makes no attestation reports.',
    next: 'Use GPUs of the Hopper or Blackwell architecture with confidential computing, and no others beside them.',
  },
  EVIDENCE_GPU_CC_OFF: {
    class: 'unavailable',
    message: 'Confidential computing is off on the GPUs.',
    next: "Turn it on from the host (nvidia_gpu_tools.py of NVIDIA's gpu-admin-tools, --set-cc-mode=on) and boot the VM again; `nvidia-smi conf-compute -f` shows it.",
  },
  EVIDENCE_GPU_PERMISSION: {
    class: 'unavailable',
    message: 'This user may not use the GPUs.',
    next: 'Give the user of the enclave read and write access to /dev/nvidiactl and /dev/nvidia0, ..., in its container or group too.',
  },
  EVIDENCE_COMMAND_ABSENT: {
    class: 'unavailable',
    message: 'The command that makes the evidence cannot be started.',
    next: 'Install it, or name it by its path; the user of the enclave must be allowed to run it.',
  },
  EVIDENCE_NOT_SIMULATED: {
    class: 'invalid',
    message: 'The simulated TEE answered with evidence that is not marked as simulated.',
    next: 'Do not use this socket: something else than the simulated TEE answers on it.',
  },
} as const satisfies Record<string, ErrorFacts>);
