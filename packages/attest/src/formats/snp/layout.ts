/**
 * Layout of the SEV-SNP attestation report: AMD 56860 "SEV Secure Nested Paging Firmware ABI", table ATTESTATION_REPORT.
 * Little-endian. Bytes not named here are reserved; those inside the signed part are covered by the signature and are not
 * looked at, so that a firmware that gives one a meaning does not break verification.
 */

/** Size of a report in bytes. Nothing may follow it. */
export const REPORT_BYTES = 0x4a0;

/** The signature covers bytes 0 up to here. */
export const SIGNED_BYTES = 0x2a0;

/** Versions of the report that this verifier reads. */
export const REPORT_VERSIONS: readonly number[] = Object.freeze([2, 3, 4, 5]);

/** Version from which the report carries CPUID family, model and stepping. */
export const CPUID_SINCE = 3;

/** Version from which the report carries mitigation vectors. */
export const MITIGATIONS_SINCE = 5;

/** SIGNATURE_ALGO: ECDSA P-384 with SHA-384. */
export const ECDSA_P384_SHA384 = 1;

export interface Field {
  readonly offset: number;
  readonly bytes: number;
}

const at = (offset: number, bytes: number): Field => Object.freeze({ offset, bytes });

export const reportLayout = Object.freeze({
  version: at(0x000, 4),
  guestSvn: at(0x004, 4),
  policy: at(0x008, 8),
  familyId: at(0x010, 16),
  imageId: at(0x020, 16),
  vmpl: at(0x030, 4),
  signatureAlgorithm: at(0x034, 4),
  currentTcb: at(0x038, 8),
  platformInfo: at(0x040, 8),
  flags: at(0x048, 4),
  reportData: at(0x050, 64),
  measurement: at(0x090, 48),
  hostData: at(0x0c0, 32),
  idKeyDigest: at(0x0e0, 48),
  authorKeyDigest: at(0x110, 48),
  reportId: at(0x140, 32),
  reportIdMa: at(0x160, 32),
  reportedTcb: at(0x180, 8),
  /** Family (with its extension), model, stepping: one byte each. Version 3 and later. */
  cpuid: at(0x188, 3),
  chipId: at(0x1a0, 64),
  committedTcb: at(0x1e0, 8),
  /** Build, minor, major: one byte each. */
  currentFirmware: at(0x1e8, 3),
  /** Build, minor, major: one byte each. */
  committedFirmware: at(0x1ec, 3),
  launchTcb: at(0x1f0, 8),
  /** Version 5 and later. */
  launchMitigations: at(0x1f8, 8),
  /** Version 5 and later. */
  currentMitigations: at(0x200, 8),
  /** Both 72 bytes, little-endian; a P-384 value fills 48 of them and the rest is zero. */
  signatureR: at(0x2a0, 72),
  signatureS: at(0x2e8, 72),
  /** Not covered by the signature; must be zero. */
  signaturePadding: at(0x330, 368),
} as const satisfies Record<string, Field>);

/** Bits of the guest policy, which the guest owner sets at launch. */
export const guestPolicyBits = Object.freeze({
  smtAllowed: 16n,
  /** Reserved; must be one. */
  reservedOne: 17n,
  migrationAgentAllowed: 18n,
  debugAllowed: 19n,
  singleSocket: 20n,
  cxlAllowed: 21n,
  memoryAes256Xts: 22n,
  raplDisabled: 23n,
  ciphertextHiding: 24n,
  pageSwapDisabled: 25n,
  /** From here to bit 63 the policy must be zero. */
  firstUnknown: 26n,
} as const);

/** Bits of the platform information, which the firmware reports. */
export const platformInfoBits = Object.freeze({
  smtEnabled: 0n,
  tsmeEnabled: 1n,
  eccEnabled: 2n,
  raplDisabled: 3n,
  ciphertextHidingEnabled: 4n,
  aliasCheckComplete: 5n,
} as const);

/** The word at 0x48: bit 0 AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 4:2 SIGNING_KEY. */
export const AUTHOR_KEY_BIT = 0x1;
export const MASK_CHIP_KEY_BIT = 0x2;
export const SIGNING_KEY_SHIFT = 2;
export const SIGNING_KEY_MASK = 0x7;

/** SIGNING_KEY values that a key stands behind; 7 is "none", the rest is reserved. */
export const signingKeys: Readonly<Record<number, 'vcek' | 'vlek'>> = Object.freeze({ 0: 'vcek', 1: 'vlek' });
