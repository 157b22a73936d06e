import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { encodeVarint } from '../varint.ts';
import { latin1Encode } from './fields.ts';

/** Framing indicators (RFC 9292 section 3.3). */
export const framing = Object.freeze({
  knownRequest: 0,
  knownResponse: 1,
  indeterminateRequest: 2,
  indeterminateResponse: 3,
} as const);

/** Control data of a request (RFC 9292 section 3.4). */
export interface RequestControl {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** Path and query, starting with a slash. */
  readonly path: string;
}

const methodPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/;
const authorityPattern = /^[A-Za-z0-9.:[\]\-_~%]{0,255}$/;
const pathPattern = /^\/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*$/;

/**
 * Checks the control data of a request: https, a method that is a token, and a path in the characters of RFC 3986 that
 * has no dot segment, so that what a gateway's router sees is what the path means.
 * @throws FastnessError `CHANNEL_HTTP_CONTROL`
 */
export function checkRequestControl(control: RequestControl): void {
  if (!methodPattern.test(control.method) || control.method === 'CONNECT') throw refused('The method.');
  if (control.scheme !== 'https') throw refused('The scheme.');
  if (!authorityPattern.test(control.authority)) throw refused('The authority.');
  const [path = ''] = control.path.split('?', 1);
  if (!pathPattern.test(control.path)) throw refused('The path.');
  if (/\/\.{1,2}(?:\/|$)|%2e|%2f|%5c|%00|\/\//i.test(path)) throw refused('The path, which is not in normal form.');
}

/** @throws FastnessError `CHANNEL_HTTP_CONTROL`, or `CHANNEL_HTTP_INFORMATIONAL` for a status of 100 to 199. */
export function checkStatus(status: number): void {
  if (status >= 100 && status < 200) throw new FastnessError('CHANNEL_HTTP_INFORMATIONAL', `Status ${status}.`);
  if (!Number.isInteger(status) || status < 200 || status > 599) throw refused('The status.');
}

export function encodeRequestControl(control: RequestControl): Uint8Array {
  checkRequestControl(control);
  return concatBytes(
    ...[control.method, control.scheme, control.authority, control.path].flatMap((text) => [
      encodeVarint(text.length),
      latin1Encode(text),
    ]),
  );
}

export function encodeStatus(status: number): Uint8Array {
  checkStatus(status);
  return encodeVarint(status);
}

function refused(detail: string): FastnessError {
  return new FastnessError('CHANNEL_HTTP_CONTROL', detail);
}
