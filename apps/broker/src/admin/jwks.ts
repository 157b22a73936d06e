import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { FastnessError } from '@fastness/codec/errors';
import { createRemoteJWKSet, customFetch, type RemoteJWKSet } from 'jose';
import { z } from 'zod';

const timeoutMs = 5_000;
const cacheMs = 600_000;
/** Between two attempts at most one for this long, also when the first failed: tokens of strangers must not make more. */
const pauseMs = 30_000;
const maxBytes = 128 * 1024;
const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

/**
 * The keys of an issuer: fetched when they are needed, kept for ten minutes, fetched again for a key that is not among
 * them at most every half minute. No redirects, at most 128 KiB, five seconds.
 */
export function issuerKeys(options: {
  readonly jwksUri: string;
  /** PEM; absent: the authorities of the system. */
  readonly authorities?: string;
  /** Milliseconds; never goes back. */
  readonly clock: () => number;
}): RemoteJWKSet {
  const { jwksUri, authorities, clock } = options;
  let failedAt: number | undefined;
  return createRemoteJWKSet(new URL(jwksUri), {
    timeoutDuration: timeoutMs,
    cooldownDuration: pauseMs,
    cacheMaxAge: cacheMs,
    async [customFetch](url, { signal }) {
      if (failedAt !== undefined && clock() < failedAt + pauseMs) throw new FastnessError('BROKER_ADMIN_ISSUER');
      try {
        const text = await fetchText(new URL(url), signal, authorities);
        // What is no key set at all is a failure too, and not asked for again at once.
        keySet.parse(JSON.parse(text));
        failedAt = undefined;
        return new Response(text, { status: 200 });
      } catch (error) {
        failedAt = clock();
        throw error;
      }
    },
  });
}

async function fetchText(url: URL, signal: AbortSignal, ca: string | undefined): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { accept: 'application/jwk-set+json, application/json' };
    const options = { headers, signal, agent: false as const };
    const request =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) }, resolve)
        : requestHttp(url, options, resolve);
    request.on('error', reject);
    request.end();
  });
  if (response.statusCode !== 200) {
    response.destroy();
    throw new FastnessError('BROKER_ADMIN_ISSUER', `Status ${response.statusCode}.`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    // Leaving the loop closes the connection.
    if (size > maxBytes) throw new FastnessError('BROKER_ADMIN_ISSUER', `Over ${maxBytes} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
