import { concatBytes } from '@fastness/codec';

/** SHA-384 of parts as if they were one, 48 bytes. */
export async function sha384(...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-384', concatBytes(...parts)));
}
