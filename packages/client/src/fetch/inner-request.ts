import type { BinaryRequest } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';

/** A request for the inside of the channel, and whether it can be sent a second time. */
export interface InnerRequest {
  readonly request: BinaryRequest & { readonly headers: Headers };
  /** False for a body that is a stream: once read, it is gone. */
  readonly repeatable: boolean;
  readonly signal: AbortSignal | undefined;
}

// Characters that a URL may hold and the channel's path may not.
const toEscape = /[\\^`{|}"<>]/g;

/**
 * Turns the arguments of a `fetch` into a request for the enclave: path and query of an https URL under /v1/, method,
 * headers, body. The host goes nowhere. A stream is passed on as a stream; every other body is read first, so that the
 * request can be sent again after the enclave changed its keys.
 * @throws FastnessError `CLIENT_URL_REFUSED`, `CLIENT_REQUEST_INVALID`
 */
export async function innerRequestOf(input: string | URL | Request, init: RequestInit = {}): Promise<InnerRequest> {
  const stream = init.body instanceof ReadableStream ? init.body : undefined;
  const { body: _body, ...rest } = init;
  // The platform's own Request sorts out every kind of body and header; a stream alone is kept out of it.
  const request = platformRequest(input, stream === undefined ? init : { ...rest, method: 'GET' });
  const url = new URL(request.url);
  if (url.protocol !== 'https:' || !url.pathname.startsWith('/v1/')) {
    throw new FastnessError('CLIENT_URL_REFUSED', `${url.protocol}//…${url.pathname.slice(0, 64)}`);
  }
  const signal = init.signal ?? (input instanceof Request ? input.signal : undefined);
  const method = stream === undefined ? request.method : (init.method ?? 'POST').toUpperCase();
  return {
    request: {
      method,
      path: `${url.pathname}${url.search}`.replace(toEscape, encodeURIComponent),
      headers: new Headers(request.headers),
      body: stream ?? (request.body === null ? null : new Uint8Array(await request.arrayBuffer())),
    },
    repeatable: stream === undefined,
    signal: signal ?? undefined,
  };
}

function platformRequest(input: string | URL | Request, init: RequestInit): Request {
  try {
    return new Request(input, init);
  } catch (error) {
    // The platform quotes a URL that it does not take, and a password with it.
    const url = input instanceof Request ? undefined : URL.parse(input);
    const quotable = url !== null && (url === undefined || (url.username === '' && url.password === ''));
    throw new FastnessError('CLIENT_REQUEST_INVALID', undefined, quotable ? { cause: error } : {});
  }
}
