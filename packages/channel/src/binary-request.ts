import { FastnessError } from '@fastness/codec/errors';
import type { RequestControl } from './bhttp/control.ts';
import type { MessageBody } from './stream-source.ts';

/** A request as the channel carries it. `path` has the query and starts with a slash; the scheme is https. */
export interface BinaryRequest {
  readonly method: string;
  readonly path: string;
  /** Host name inside the channel. Default: `enclave`, as the address of a relay means nothing to the enclave. */
  readonly authority?: string;
  readonly headers?: HeadersInit;
  readonly body?: MessageBody;
}

const defaultAuthority = 'enclave';

/** Turns a `Request` into the channel's form; the host of its URL is left out. */
export function binaryRequestOf(request: BinaryRequest | Request): BinaryRequest {
  if (!(request instanceof Request)) return request;
  const url = new URL(request.url);
  return {
    method: request.method,
    path: `${url.pathname}${url.search}`.replace(/[\\^`{|}"<>]/g, encodeURIComponent),
    headers: request.headers,
    body: request.body,
  };
}

/** Control data of a request. */
export function controlOf(request: BinaryRequest): RequestControl {
  if (!request.path.startsWith('/')) throw new FastnessError('CHANNEL_HTTP_CONTROL', 'The path.');
  return {
    method: request.method,
    scheme: 'https',
    authority: request.authority ?? defaultAuthority,
    path: request.path,
  };
}
