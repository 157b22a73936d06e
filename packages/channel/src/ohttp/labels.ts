import { concatBytes, u16be, utf8Encode } from '@fastness/codec/bytes';
import type { SuiteId } from '../hpke.ts';

/** HPKE labels of an OHTTP variant; the chunked one has its own (draft-ietf-ohai-chunked-ohttp-08 section 6). */
export interface OhttpLabels {
  readonly request: string;
  readonly response: string;
}

export const plainLabels: OhttpLabels = Object.freeze({
  request: 'message/bhttp request',
  response: 'message/bhttp response',
});

export const chunkedLabels: OhttpLabels = Object.freeze({
  request: 'message/bhttp chunked request',
  response: 'message/bhttp chunked response',
});

/** Length in bytes of the header of an encapsulated request (RFC 9458 section 4.3). */
export const headerLength = 7;

/** `key id | KEM | KDF | AEAD`, the header of an encapsulated request. */
export function encodeHeader(keyId: number, suite: SuiteId): Uint8Array {
  return concatBytes(Uint8Array.of(keyId), u16be(suite.kem), u16be(suite.kdf), u16be(suite.aead));
}

/** The `info` of the HPKE set-up: label, a zero byte, header. */
export function requestInfo(labels: OhttpLabels, header: Uint8Array): Uint8Array {
  return concatBytes(utf8Encode(labels.request), Uint8Array.of(0), header);
}
