import type { ErrorFacts } from './class.ts';

/** Codes of the relay. */
export const relayErrors = Object.freeze({
  RELAY_ROUTE_UNKNOWN: {
    class: 'usage',
    message: 'The relay forwards no such path.',
    next: 'Use POST /attestation, POST /ohttp or GET /health.',
  },
  RELAY_METHOD_NOT_ALLOWED: {
    class: 'usage',
    message: 'The relay does not forward this method on this path.',
    next: 'Use the method that the Allow header of the response names.',
  },
  RELAY_MEDIA_TYPE: {
    class: 'not-mine',
    message: 'The request body is not of the media type that this path carries.',
    next: 'Send application/json to /attestation and message/ohttp-chunked-req to /ohttp.',
  },
  RELAY_REQUEST_INVALID: {
    class: 'usage',
    message: 'The request is not valid HTTP for a relay.',
    next: 'Send one plain HTTP/1.1 request with one unambiguous length.',
  },
  RELAY_BODY_LIMIT: {
    class: 'limit',
    message: 'The request body is larger than the relay forwards.',
    next: 'Send a smaller request, or raise the limit in the relay configuration.',
  },
  RELAY_HEADER_LIMIT: {
    class: 'limit',
    message: 'The request headers are larger than the relay accepts.',
    next: 'Send fewer or shorter headers; the relay drops most of them anyway.',
  },
  RELAY_REQUEST_TIMEOUT: {
    class: 'limit',
    message: 'The request did not arrive within the time allowed.',
    next: 'Send the request promptly; check the network between this client and the relay.',
  },
  RELAY_BUSY: {
    class: 'limit',
    message: 'The relay forwards as many requests as it may already.',
    next: 'Wait for the time in the Retry-After header, then try again.',
  },
  RELAY_UPSTREAM_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The enclave behind the relay could not be reached.',
    next: 'Try again; if this lasts, ask the operator whether the enclave runs and holds a lease.',
  },
  RELAY_UPSTREAM_TIMEOUT: {
    class: 'unavailable',
    message: 'The enclave behind the relay did not answer in time.',
    next: 'Try again; if this lasts, ask the operator whether the enclave is overloaded.',
  },
  RELAY_UPSTREAM_INVALID: {
    class: 'unavailable',
    message: 'The enclave behind the relay answered with something that the relay does not forward.',
    next: 'Ask the operator whether the upstream address is that of an enclave.',
  },
  RELAY_CONFIG_INVALID: {
    class: 'usage',
    message: 'The relay configuration is not usable.',
    next: 'Correct the field that the detail names.',
  },
  RELAY_LISTEN: {
    class: 'unavailable',
    message: 'The relay could not listen on its address.',
    next: 'Choose a free port and an address of this machine.',
  },
  RELAY_INTERNAL: {
    class: 'internal',
    message: 'The relay failed in a way it did not foresee.',
    next: 'Report this with the time of the request.',
  },
} as const satisfies Record<string, ErrorFacts>);
