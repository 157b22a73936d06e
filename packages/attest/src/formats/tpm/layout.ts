import type { HashName } from '@fastness/codec/x509';

/** Hashes of TPM 2.0 that are good enough to rely on, by TPM_ALG_ID (TCG Algorithm Registry, section 6). */
export const tpmHashes: ReadonlyMap<number, HashName> = new Map([
  [0x000b, 'SHA-256'],
  [0x000c, 'SHA-384'],
  [0x000d, 'SHA-512'],
]);

/** Bytes of a digest. */
export const digestBytes: Readonly<Record<HashName, number>> = Object.freeze({
  'SHA-256': 32,
  'SHA-384': 48,
  'SHA-512': 64,
});

/** Registers of a PC client TPM (TCG PC Client Platform TPM Profile, section 4.6.1). */
export const MAX_PCR = 23;

/** Bytes of a quote or its signature; genuine ones have a few hundred. */
export const MAX_QUOTE_BYTES = 2048;

/** Bytes of a nonce: TPMs take as much qualifying data as their largest digest has. */
export const MAX_NONCE_BYTES = 64;

/** Bytes of a SubjectPublicKeyInfo: RSA of 8192 bits has about 1100. */
export const MAX_KEY_BYTES = 2048;

/** Registers that firmware extends before it boots, and that its log explains. */
export const LAST_FIRMWARE_PCR = 7;

/** Register whose value a policy's `measurements` are of unless it says otherwise: what the firmware booted. */
export const BOOT_PCR = 4;
