import { STATUS_CODES, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { fixedResponseHeaders } from './headers.ts';

/** Where HTTP has a status of its own for a code, in place of the status of the code's class. */
const statuses: Partial<Record<ErrorCode, number>> = Object.freeze({
  RELAY_ROUTE_UNKNOWN: 404,
  RELAY_METHOD_NOT_ALLOWED: 405,
  RELAY_REQUEST_TIMEOUT: 408,
  RELAY_BODY_LIMIT: 413,
  RELAY_HEADER_LIMIT: 431,
  RELAY_UPSTREAM_INVALID: 502,
  RELAY_UPSTREAM_TIMEOUT: 504,
});

/** Any error as one of the relay's; what is not foreseen becomes `RELAY_INTERNAL`, without its message. */
export function asRelayError(error: unknown): FastnessError {
  return error instanceof FastnessError ? error : new FastnessError('RELAY_INTERNAL', undefined, { cause: error });
}

export function problemStatus(error: FastnessError): number {
  return statuses[error.code] ?? error.httpStatus;
}

function render(
  error: FastnessError,
  extra: OutgoingHttpHeaders,
): { status: number; headers: OutgoingHttpHeaders; body: string } {
  const status = problemStatus(error);
  const body = JSON.stringify({ ...error.toProblem(), status });
  const headers: OutgoingHttpHeaders = {
    ...fixedResponseHeaders,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...(error.code === 'RELAY_BUSY' || error.class === 'unavailable' ? { 'retry-after': '5' } : {}),
    ...extra,
  };
  return { status, headers, body };
}

/** Answers with a problem document (RFC 9457); the number of bytes of its body. */
export function sendProblem(response: ServerResponse, error: FastnessError, extra: OutgoingHttpHeaders = {}): number {
  const { status, headers, body } = render(error, extra);
  response.writeHead(status, headers);
  response.end(body);
  return Buffer.byteLength(body);
}

/** The same for a request that never became one: written to its connection, which is then closed. */
export function sendRawProblem(socket: Duplex, error: FastnessError): void {
  const { status, headers, body } = render(error, { connection: 'close' });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}
