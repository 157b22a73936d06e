import { ByteReader, utf8Encode } from '@fastness/codec/bytes';

/** What a witness signs: two lines in front of the whole text of the checkpoint (c2sp.org/tlog-cosignature). */
export function cosignedMessage(text: string, timestamp: number): Uint8Array {
  return utf8Encode(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/**
 * The time inside a cosignature (8 bytes of seconds since 1970, then 64 bytes of Ed25519); undefined when it is none, or
 * when a Date cannot hold its time.
 */
export function readTimestamp(signature: Uint8Array): number | undefined {
  if (signature.length !== 72) return undefined;
  const seconds = new ByteReader(signature).u64be();
  return seconds > 8_640_000_000_000n ? undefined : Number(seconds);
}
