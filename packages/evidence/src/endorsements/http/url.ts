import { isIP } from 'node:net';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Checks an address before anything is sent to it: https, or plain http to this very machine (or `plainHost`), and no
 * credentials in it. What comes over plain http is judged by its signature like the rest, but a network in between could
 * read what is asked for. Throws ENDORSEMENT_URL.
 */
export function checkUrl(url: URL, plainHost?: string): URL {
  if (url.username !== '' || url.password !== '') throw refused(url, 'Credentials in an address.');
  if (url.protocol === 'https:') return url;
  if (url.protocol === 'http:' && (isLoopback(url.hostname) || url.host === plainHost)) return url;
  throw refused(url, 'Not https.');
}

/** Joins a base address and a path; a base may have a path of its own, as mirrors and caching services do. */
export function under(base: string, path: string, query: Readonly<Record<string, string>> = {}): URL {
  let url: URL;
  try {
    url = new URL(`${base.replace(/\/+$/, '')}${path}`);
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_URL', 'Not an address.', { cause });
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

/** For messages and records: the query may name a platform. */
export function withoutQuery(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

function refused(url: URL, why: string): FastnessError {
  return new FastnessError('ENDORSEMENT_URL', `${why} ${url.protocol}//${url.host}`);
}
