import type { RelayRoute } from './headers.ts';

/** Headers that let a page of an allowed origin read the answer; empty for every other origin. */
export function corsHeaders(allowed: ReadonlySet<string>, origin: string | undefined): Record<string, string> {
  if (allowed.size === 0) return {};
  if (origin === undefined || !allowed.has(origin)) return { vary: 'origin' };
  return { vary: 'origin', 'access-control-allow-origin': origin };
}

/** The answer to a browser's preflight request. No credentials: a relay must not learn who asks. */
export function preflightHeaders(route: RelayRoute): Record<string, string> {
  return {
    'access-control-allow-methods': route.method,
    'access-control-allow-headers': 'content-type',
    'access-control-max-age': '600',
  };
}
