import { concatBytes, u32be } from '@fastness/codec';

/** Hash of parts, each after its length as 32 bits, big-endian, so that no part can pass for the end of the one before it. */
export async function framedHash(
  algorithm: 'SHA-256' | 'SHA-512',
  parts: readonly Uint8Array[],
): Promise<Uint8Array<ArrayBuffer>> {
  const framed = concatBytes(...parts.flatMap((part) => [u32be(part.length), part]));
  return new Uint8Array(await globalThis.crypto.subtle.digest(algorithm, framed));
}
