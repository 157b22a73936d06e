import type { HashName } from '@fastness/codec/x509';

/** Hashes of TPM 2.0 that are good enough to rely on, by TPM_ALG_ID (TCG Algorithm Registry, section 6). */
export const tpmHashes: ReadonlyMap<number, HashName> = new Map([
  [0x000b, 'SHA-256'],
  [0x000c, 'SHA-384'],
  [0x000d, 'SHA-512'],
]);

/** Bytes of a digest. SHA-1 is known for reading logs only. */
export const digestBytes: Readonly<Record<HashName | 'SHA-1', number>> = Object.freeze({
  'SHA-1': 20,
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
});

/** Registers of a PC client TPM (TCG PC Client Platform TPM Profile, section 4.6.1). */
export const MAX_PCR = 23;
