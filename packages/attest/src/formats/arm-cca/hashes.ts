import { armCcaHashes, type ArmCcaHash } from '../../policy/arm-cca.ts';

const webCryptoNames: Readonly<Record<ArmCcaHash, string>> = Object.freeze({
  'sha-256': 'SHA-256',
  'sha-384': 'SHA-384',
  'sha-512': 'SHA-512',
});

/** The hash function of this name (IANA Named Information Hash Algorithm Registry); undefined for another. */
export function hashNamed(value: unknown): ArmCcaHash | undefined {
  return armCcaHashes.find((name) => name === value);
}

export async function digestWith(hash: ArmCcaHash, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(webCryptoNames[hash], new Uint8Array(bytes)));
}
