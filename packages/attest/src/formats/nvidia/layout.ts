/**
 * Sizes and numbers of NVIDIA's attestation reports: an SPDM 1.1 request for measurements and the response to it (DMTF
 * DSP0274 1.1, sections 10.11 and 10.12), with NVIDIA's own fields in the response's opaque data (NVIDIA/attestation-sdk).
 * Integers are little-endian.
 */

/** Bytes of the request: header, nonce, slot. */
export const REQUEST_BYTES = 37;
export const NONCE_BYTES = 32;
/** SPDM 1.1, GET_MEASUREMENTS, with a signature, all measurements. */
export const REQUEST_HEADER = Object.freeze([0x11, 0xe0, 0x01, 0xff] as const);
/** SPDM 1.1, MEASUREMENTS, no parameters. */
export const RESPONSE_HEADER = Object.freeze([0x11, 0x60, 0x00, 0x00] as const);
/** r and s of a P-384 signature, big-endian, 48 bytes each; the last bytes of a report. */
export const SIGNATURE_BYTES = 96;
/** SHA-384. */
export const DIGEST_BYTES = 48;
/** Bytes of a report: 64 measurements and their fields take 4200. */
export const MAX_REPORT_BYTES = 16 * 1024;
/** Certificates of a device chain: leaf, chip, provisioner, product line, root. */
export const CHAIN_LENGTH = 5;
export const MAX_CERTIFICATE_BYTES = 4096;
/** Version of the opaque data up to which its fields are known. */
export const MAX_OPAQUE_VERSION = 1;
/** The measurement that a GPU without NVDEC0 does not have. */
export const NVDEC0_INDEX = 35;

/** Fields of the opaque data by number. */
export const opaqueIds = Object.freeze({
  driverVersion: 3,
  vbiosVersion: 6,
  nvdec0Status: 11,
  chipSku: 15,
  project: 17,
  projectSku: 18,
  fwid: 20,
  protectedPcieStatus: 21,
  /** On a GPU: the switches it is connected to. On a switch: its own identifier. */
  switchPdi: 22,
  /** On a switch: the GPUs it is connected to, then its ports. */
  gpuPdis: 26,
  version: 34,
  chipInfo: 35,
  featureFlag: 36,
} as const);

/** How NVIDIA writes a status into one byte, so that a flipped bit is no valid status. */
export const STATUS_OFF = 0x55;
export const STATUS_ON = 0xaa;

/** What tells the kinds of device apart. */
export interface NvidiaKind {
  readonly tee: 'nvidia-gpu' | 'nvidia-nvswitch';
  /** Section of the policy that speaks for it. */
  readonly section: 'nvidiaGpu' | 'nvidiaNvswitch';
  /** Highest number of a field that is known in its opaque data. */
  readonly maxOpaqueId: number;
  /** How its reference documents name it (edition). */
  readonly edition: 'GPU' | 'SWITCH';
}

export const nvidiaKinds: readonly NvidiaKind[] = Object.freeze([
  Object.freeze({ tee: 'nvidia-gpu', section: 'nvidiaGpu', maxOpaqueId: 36, edition: 'GPU' } as const),
  Object.freeze({ tee: 'nvidia-nvswitch', section: 'nvidiaNvswitch', maxOpaqueId: 27, edition: 'SWITCH' } as const),
]);

/** Chips that are known, as leaves name them. */
export const nvidiaChips: readonly {
  readonly pattern: RegExp;
  readonly tee: NvidiaKind['tee'];
  readonly architecture: 'hopper' | 'blackwell' | 'ls10';
}[] = Object.freeze([
  Object.freeze({ pattern: /^GH1\d\d$/, tee: 'nvidia-gpu', architecture: 'hopper' } as const),
  Object.freeze({ pattern: /^GB[12]\d\d$/, tee: 'nvidia-gpu', architecture: 'blackwell' } as const),
  Object.freeze({ pattern: /^LS_10$/, tee: 'nvidia-nvswitch', architecture: 'ls10' } as const),
]);
