import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { RateLimitError } from '../limits.ts';

/** Where HTTP has a status of its own for a code, in place of the status of the code's class. */
const statuses: Partial<Record<ErrorCode, number>> = Object.freeze({
  BROKER_ROUTE_UNKNOWN: 404,
  BROKER_METHOD_NOT_ALLOWED: 405,
  BROKER_REQUEST_TIMEOUT: 408,
  BROKER_BODY_LIMIT: 413,
  BROKER_HEADER_LIMIT: 431,
});

/** Set on every response: nothing here is for a cache, a frame or a guess at its type. */
export const fixedHeaders: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
});

/**
 * What of an error may be told. Faults of the broker itself, of its disks and of its key store keep their details to
 * themselves, and what is no Fastness error at all is `BROKER_INTERNAL`.
 */
export function publicError(error: unknown): FastnessError {
  if (!(error instanceof FastnessError)) return new FastnessError('BROKER_INTERNAL');
  const telling = error.class !== 'internal' && error.class !== 'unavailable' && !error.code.startsWith('KEYS_');
  return telling || error.detail === undefined ? error : new FastnessError(error.code);
}

export function problemStatus(error: FastnessError): number {
  return statuses[error.code] ?? error.httpStatus;
}

function problemParts(error: unknown): { status: number; headers: Record<string, string>; body: string } {
  const told = publicError(error);
  const status = problemStatus(told);
  const headers: Record<string, string> = { ...fixedHeaders, 'content-type': 'application/problem+json' };
  if (error instanceof RateLimitError) headers['retry-after'] = String(error.retryAfterSeconds);
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  return { status, headers, body: JSON.stringify({ ...told.toProblem(), status }) };
}

/** The error as an RFC 9457 response. */
export function problemResponse(error: unknown, extraHeaders: Readonly<Record<string, string>> = {}): Response {
  const { status, headers, body } = problemParts(error);
  return new Response(body, { status, headers: { ...headers, ...extraHeaders } });
}

/** The same for a request that never became one: written to its connection, which is then closed. */
export function writeRawProblem(socket: Duplex, error: FastnessError): void {
  const { status, headers, body } = problemParts(error);
  const all = { ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
