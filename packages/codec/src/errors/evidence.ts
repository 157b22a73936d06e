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
    next: 'Check that the simulated TEE is running and that FASTNESS_SIMULATED_TEE names its socket.',
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
    next: 'Try again; if it persists, start the TEE again.',
  },
  EVIDENCE_REFUSED: {
    class: 'unavailable',
    message: 'The TEE refused to make a report.',
    next: 'See the code in the detail for what it refused.',
  },
  EVIDENCE_RESPONSE: {
    class: 'invalid',
    message: 'The answer of the TEE is malformed or too large.',
    next: 'Check that the socket belongs to the simulated TEE of the same version.',
  },
  EVIDENCE_NOT_SIMULATED: {
    class: 'invalid',
    message: 'The simulated TEE answered with evidence that is not marked as simulated.',
    next: 'Do not use this socket: something else than the simulated TEE answers on it.',
  },
} as const satisfies Record<string, ErrorFacts>);
