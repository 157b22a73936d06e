import { concatBytes, toHex, u32le, utf8Encode } from '@fastness/codec';

/** Something that happened after the boot and that a verifier should see. */
export interface RuntimeEvent {
  /** `configuration`: what the enclave was told. `release`: the release that it asks the key of. */
  readonly kind: 'configuration' | 'release';
  /** SHA-256 of the configuration file, or the release digest: 32 bytes. */
  readonly digest: Uint8Array;
}

/** taggedEventID of our events ("FAST"); TCG assigns none. */
export const RUNTIME_EVENT_ID = 0x5453_4146;

/** TCG_PCClientTaggedEvent: identifier, size, and the event as `fastness/runtime-event/v1`, kind and digest, one a line. */
export function encodeRuntimeEvent({ kind, digest }: RuntimeEvent): Uint8Array {
  const text = utf8Encode(`fastness/runtime-event/v1\n${kind}\n${toHex(digest)}\n`);
  return concatBytes(u32le(RUNTIME_EVENT_ID), u32le(text.length), text);
}
