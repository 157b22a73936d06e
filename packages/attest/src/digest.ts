import { plainBytes, toHex } from '@fastness/codec';

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes))));
}
