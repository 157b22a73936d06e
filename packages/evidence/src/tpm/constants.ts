/** Numbers of the TPM 2.0 Library, part 2, as far as this layer uses them. */

/** TPM_ST: tags of commands and answers. */
export const tags = Object.freeze({
  noSessions: 0x8001,
  sessions: 0x8002,
  creation: 0x8021,
  attestNv: 0x8014,
  attestCreation: 0x801a,
});

/** TPM_CC. */
export const commandCodes = Object.freeze({
  evictControl: 0x120,
  nvUndefineSpace: 0x122,
  nvDefineSpace: 0x12a,
  createPrimary: 0x131,
  nvIncrement: 0x134,
  nvExtend: 0x136,
  nvWrite: 0x137,
  selfTest: 0x143,
  startup: 0x144,
  shutdown: 0x145,
  policyNv: 0x149,
  certifyCreation: 0x14a,
  nvRead: 0x14e,
  create: 0x153,
  load: 0x157,
  quote: 0x158,
  unseal: 0x15e,
  flushContext: 0x165,
  nvReadPublic: 0x169,
  readPublic: 0x173,
  startAuthSession: 0x176,
  getCapability: 0x17a,
  getRandom: 0x17b,
  pcrRead: 0x17e,
  policyPcr: 0x17f,
  pcrExtend: 0x182,
  nvCertify: 0x184,
  policyGetDigest: 0x189,
});

/** TPM_ALG_ID. */
export const algorithms = Object.freeze({
  rsa: 0x0001,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsassa: 0x0014,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
});

/** TPM_RH: permanent handles. */
export const handles = Object.freeze({
  owner: 0x4000_0001,
  null: 0x4000_0007,
  password: 0x4000_0009,
  endorsement: 0x4000_000b,
});

/** TPMA_NV: attributes of an index. Bits 4 to 7 are its kind. */
export const nvAttributes = Object.freeze({
  ownerWrite: 1 << 1,
  authWrite: 1 << 2,
  policyWrite: 1 << 3,
  counter: 1 << 4,
  extend: 4 << 4,
  kindMask: 0xf << 4,
  policyDelete: 1 << 10,
  writeLocked: 1 << 11,
  ownerRead: 1 << 17,
  authRead: 1 << 18,
  policyRead: 1 << 19,
  noDictionaryAttack: 1 << 25,
  orderly: 1 << 26,
  written: 1 << 29,
  platformCreate: 1 << 30,
});

/** TPMA_OBJECT. */
export const objectAttributes = Object.freeze({
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  noDictionaryAttack: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
});

/** TPM_EO: how TPM2_PolicyNV compares an index with a value, both unsigned. */
export const comparisons = Object.freeze({ equal: 0x0000, lessOrEqual: 0x0009, greaterOrEqual: 0x0007 });

/** Banks of registers by hash: TPM_ALG_ID and bytes of a register. */
export const banks = Object.freeze({
  'SHA-256': { algorithm: algorithms.sha256, bytes: 32 },
  'SHA-384': { algorithm: algorithms.sha384, bytes: 48 },
  'SHA-512': { algorithm: algorithms.sha512, bytes: 64 },
});
export type Bank = keyof typeof banks;

/** Banks that can be extended: SHA-1 too, because a log must have its digest wherever that bank is active. Nothing relies on it. */
export const extendableBanks = Object.freeze({ ...banks, 'SHA-1': { algorithm: 0x0004, bytes: 20 } });
export type ExtendableBank = keyof typeof extendableBanks;

/** Bytes of the longest command or answer that a TPM must take (part 2, MAX_COMMAND_SIZE of the profiles is 4096). */
export const MAX_FRAME_BYTES = 4096;
/** Registers of a PC client TPM. */
export const MAX_PCR = 23;
