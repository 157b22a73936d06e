import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { FastnessError } from '@fastness/codec/errors';

/** What the relay forwards: a method and, where there is a body, the media types it may have. */
export interface RelayRoute {
  readonly method: 'GET' | 'POST';
  readonly contentTypes?: readonly string[];
}

/** Exact paths. A query string makes another path, for it could carry what identifies a client. */
export const relayRoutes: ReadonlyMap<string, RelayRoute> = new Map<string, RelayRoute>([
  ['/attestation', { method: 'POST', contentTypes: ['application/json'] }],
  ['/ohttp', { method: 'POST', contentTypes: ['message/ohttp-chunked-req', 'message/ohttp-req'] }],
  ['/health', { method: 'GET' }],
]);

/** Set on every response of the relay. */
export const fixedResponseHeaders: OutgoingHttpHeaders = Object.freeze({
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

const responseType = /^[a-z]{1,16}\/[a-z0-9.+-]{1,64}$/;

/**
 * The headers of the request to the enclave, built from nothing: of what the client sent only the length goes on, and the
 * media type as this relay spells it. User agent, cookies, Forwarded, X-Forwarded-For, Accept-Language and anything not
 * invented yet stay behind. Throws `RELAY_MEDIA_TYPE`, `RELAY_BODY_LIMIT`, `RELAY_REQUEST_INVALID`.
 */
export function upstreamHeaders(
  route: RelayRoute,
  headers: IncomingHttpHeaders,
  options: { host: string; requestBytes: number },
): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = { host: options.host, connection: 'close' };
  if (route.contentTypes === undefined) {
    // A GET goes on without a length, so a body would be read on the other side as a request of its own (smuggling).
    const bodiless = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
    if (!bodiless) throw new FastnessError('RELAY_REQUEST_INVALID', 'This path takes no body.');
    return forwarded;
  }
  const essence = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  const type = route.contentTypes.find((each) => each === essence);
  if (type === undefined || headers['content-encoding'] !== undefined) throw new FastnessError('RELAY_MEDIA_TYPE');
  forwarded['content-type'] = type;
  const length = headers['content-length'];
  if (length === undefined) {
    forwarded['transfer-encoding'] = 'chunked';
  } else {
    if (Number(length) > options.requestBytes) {
      throw new FastnessError('RELAY_BODY_LIMIT', `${length} bytes; at most ${options.requestBytes}.`);
    }
    forwarded['content-length'] = length;
  }
  return forwarded;
}

/**
 * The headers of the answer to the client, of which the enclave's operator may choose three: media type, length and when
 * to try again. A cookie or an ETag would let the operator recognise a client. Throws `RELAY_UPSTREAM_INVALID`.
 */
export function downstreamHeaders(headers: IncomingHttpHeaders, responseBytes: number): OutgoingHttpHeaders {
  const forwarded: OutgoingHttpHeaders = { ...fixedResponseHeaders };
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== undefined) {
    if (!responseType.test(type)) throw new FastnessError('RELAY_UPSTREAM_INVALID', 'Its media type is unusable.');
    forwarded['content-type'] = type;
  }
  if (headers['content-encoding'] !== undefined) {
    throw new FastnessError('RELAY_UPSTREAM_INVALID', 'It has a content encoding.');
  }
  const length = headers['content-length'];
  if (length !== undefined) {
    if (Number(length) > responseBytes)
      throw new FastnessError('RELAY_UPSTREAM_INVALID', 'It is larger than the limit.');
    forwarded['content-length'] = length;
  }
  const retryAfter = headers['retry-after'];
  if (retryAfter !== undefined && /^\d{1,4}$/.test(retryAfter)) forwarded['retry-after'] = retryAfter;
  return forwarded;
}
