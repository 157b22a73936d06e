import type { ErrorFacts } from './class.ts';

const askAgain = 'Send the request again; if it happens again, the relay or the network changes what it carries.';
const verifyAgain = 'Verify the enclave again to learn its current keys, then send the request again.';

/** Codes of `channel`: HPKE, chunked OHTTP, binary HTTP, receipts, leases, and the JSON that services exchange. */
export const channelErrors = Object.freeze({
  CHANNEL_SUITE_UNSUPPORTED: {
    class: 'unavailable',
    message: 'No key on offer uses algorithms that both this runtime and the caller allow.',
    next: 'Use a runtime whose WebCrypto has ML-KEM-768 (Node 24, current Chromium), or allow X25519 by name.',
  },
  CHANNEL_KEY_CONFIG: {
    class: 'invalid',
    message: 'The key configuration is malformed.',
    next: 'Fetch the attestation again; a genuine enclave sends a well-formed list.',
  },
  CHANNEL_KEY_UNKNOWN: {
    class: 'conflict',
    message: 'The request names a key that the enclave does not hold.',
    next: verifyAgain,
  },
  CHANNEL_REQUEST_UNOPENABLE: {
    class: 'invalid',
    message: 'The first chunk of the request does not open under the key it names.',
    next: verifyAgain,
  },
  CHANNEL_RESPONSE_MISMATCH: {
    class: 'invalid',
    message: 'The first chunk of the response does not open: it answers another request, or was changed.',
    next: askAgain,
  },
  CHANNEL_CHUNK_TAG: {
    class: 'invalid',
    message: 'A chunk does not open: it was changed, reordered, repeated or left out.',
    next: askAgain,
  },
  CHANNEL_CHUNK_SIZE: {
    class: 'invalid',
    message: 'A chunk is shorter than its tag or longer than the limit.',
    next: askAgain,
  },
  CHANNEL_TRUNCATED: { class: 'invalid', message: 'The stream ends before its final chunk.', next: askAgain },
  CHANNEL_REPLAYED: {
    class: 'conflict',
    message: 'This request was received before.',
    next: 'Seal the request afresh; a sealed request is answered once.',
  },
  CHANNEL_REPLAY_CACHE_FULL: {
    class: 'unavailable',
    message: 'The gateway has answered as many requests as its replay cache holds for this key.',
    next: 'Rotate the gateway keys, which empties the cache; clients verify again by themselves.',
  },
  CHANNEL_REQUEST_TOO_LARGE: {
    class: 'limit',
    message: 'The request is larger than the gateway accepts.',
    next: 'Send a smaller request, or raise the limit of the gateway.',
  },
  CHANNEL_RESPONSE_TOO_LARGE: {
    class: 'limit',
    message: 'The response is larger than the client accepts.',
    next: 'Raise the response limit if answers of this size are expected.',
  },
  CHANNEL_MESSAGE_TOO_LARGE: {
    class: 'limit',
    message: 'The message is larger than what is sealed in one piece.',
    next: 'Use chunked OHTTP, which has no such limit.',
  },
  CHANNEL_PROTOCOL_REFUSED: {
    class: 'denied',
    message: 'The gateway does not answer requests of this protocol.',
    next: 'Use chunked OHTTP (message/ohttp-chunked-req), or have the operator name the adapter in the configuration of the enclave.',
  },
  CHANNEL_UNSEALED: {
    class: 'usage',
    message: 'The request is not sealed: whatever is in it came in the clear.',
    next: 'Take what was in it for read by whoever carried it, and send requests through the channel.',
  },
  CHANNEL_HTTP_MALFORMED: {
    class: 'invalid',
    message: 'The binary HTTP message does not follow RFC 9292.',
    next: 'Check the program that encoded the message.',
  },
  CHANNEL_HTTP_FRAMING: {
    class: 'invalid',
    message: 'The binary HTTP message is not of the expected kind.',
    next: 'Send a request to a gateway and a response to a client.',
  },
  CHANNEL_HTTP_CONTROL: {
    class: 'invalid',
    message: 'The method, scheme, authority, path or status of the message is refused.',
    next: 'Send an https request with a token as its method and a path that starts with a slash.',
  },
  CHANNEL_HTTP_FIELD: {
    class: 'invalid',
    message: 'A header or trailer field is refused.',
    next: 'Send lower-case field names, visible values, and no field that belongs to a connection.',
  },
  CHANNEL_HTTP_LIMIT: {
    class: 'limit',
    message: 'The header or trailer section is larger than the limit.',
    next: 'Send fewer or shorter fields.',
  },
  CHANNEL_HTTP_PADDING: {
    class: 'invalid',
    message: 'Bytes other than zero follow the message.',
    next: 'Pad with zeros only.',
  },
  CHANNEL_HTTP_INFORMATIONAL: {
    class: 'not-mine',
    message: 'The message holds an informational response, which this reader does not accept.',
    next: 'Send the final response alone.',
  },
  CHANNEL_BODY_TYPE: {
    class: 'usage',
    message: 'A body is neither bytes nor a stream of bytes.',
    next: 'Pass a Uint8Array or a ReadableStream of Uint8Array.',
  },
  CHANNEL_CANCELLED: {
    class: 'usage',
    message: 'The body was given up before its end.',
    next: 'Read the body to its end to learn its digest, trailers and receipt.',
  },
  CHANNEL_ALREADY_ANSWERED: {
    class: 'internal',
    message: 'The request has its response already.',
    next: 'Seal one response for each request.',
  },
  CHANNEL_PREPARED_USED: {
    class: 'usage',
    message: 'The prepared key agreement has served its request.',
    next: 'Prepare one for each request.',
  },
  CHANNEL_WIRE_MALFORMED: {
    class: 'invalid',
    message: 'The message does not follow its schema.',
    next: 'Check that both sides run the same version of Fastness; the detail names the member.',
  },
  CHANNEL_WIRE_TOO_LARGE: {
    class: 'limit',
    message: 'The message is larger than its schema allows.',
    next: 'Check where the message came from; genuine ones stay far below this limit.',
  },
  CHANNEL_SEALED_KEY: {
    class: 'invalid',
    message: 'The sealed key does not open under this enclave key and context.',
    next: 'Request the key again; it was sealed to another enclave, another release or another exchange, or was changed.',
  },
  CHANNEL_RECEIPT_MALFORMED: {
    class: 'invalid',
    message: 'The receipt is malformed.',
    next: 'Keep the receipt exactly as the client delivered it.',
  },
  CHANNEL_RECEIPT_SIGNATURE: {
    class: 'invalid',
    message: 'The signature of the receipt does not verify under the receipt key.',
    next: 'Treat the answer as unproven; the receipt is forged, or belongs to another enclave.',
  },
  CHANNEL_SUCCESSION_MALFORMED: {
    class: 'invalid',
    message: 'The statement by which keys succeed others does not have its one form.',
    next: 'Do not use the keys; verify the enclave again.',
  },
  CHANNEL_SUCCESSION_SIGNATURE: {
    class: 'invalid',
    message: 'The statement by which keys succeed others is not signed by the key before them.',
    next: 'Do not use the keys; verify the enclave again.',
  },
  CHANNEL_LEASE_MALFORMED: {
    class: 'invalid',
    message: 'The lease is malformed.',
    next: 'Request the key again from the broker that the release names.',
  },
  CHANNEL_LEASE_SIGNATURE: {
    class: 'invalid',
    message: 'The signature of the lease does not verify under the broker key of the release.',
    next: 'Check that the enclave talks to the broker that the release names.',
  },
  CHANNEL_LEASE_MISMATCH: {
    class: 'denied',
    message: 'The lease was issued for another release, other keys or another exchange.',
    next: 'Request a lease again; one lease serves one enclave and one exchange.',
  },
} as const satisfies Record<string, ErrorFacts>);
