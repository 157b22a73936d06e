import { utf8Encode } from '@fastness/codec/bytes';

/** HPKE `info` of a request, and the label of the secret that its response is sealed with (EHBP 0.1). */
export const ehbpInfo: Uint8Array = utf8Encode('ehbp request');
export const ehbpResponseLabel = 'ehbp response';

/** Header fields in the clear: the encapsulated key of a request, the nonce of a response, both in hexadecimal. */
export const ehbpKeyHeader = 'ehbp-encapsulated-key';
export const ehbpNonceHeader = 'ehbp-response-nonce';

/** Type of the problem document by which a client of EHBP learns that its key is not the gateway's. */
export const ehbpKeyProblem = 'urn:ietf:params:ehbp:error:key-config';
