import { ByteParts } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { ReadResource } from './reader.ts';

/** Bytes of the largest resource: a bundle of 256 of the longest entries. */
const resourceLimit = 256 * (0xffff + 2);

/** Reads a log below a URL (c2sp.org/tlog-tiles). Whatever comes back is verified by who asks, not here. */
export function httpLog(options: { url: string; fetch: typeof globalThis.fetch; signal?: AbortSignal }): ReadResource {
  const base = options.url.endsWith('/') ? options.url : `${options.url}/`;
  return async (path) => {
    try {
      const response = await options.fetch(new URL(path, base), {
        redirect: 'error',
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      if (response.status === 404) return undefined;
      if (response.status !== 200) throw new FastnessError('LOG_UNAVAILABLE', `Status ${response.status}, ${path}.`);
      const parts = new ByteParts();
      for await (const chunk of response.body ?? []) {
        parts.push(chunk);
        if (parts.length > resourceLimit) throw new FastnessError('LOG_TILE_MALFORMED', `${path} is too long.`);
      }
      return parts.join();
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (cause instanceof FastnessError) throw cause;
      throw new FastnessError('LOG_UNAVAILABLE', path, { cause });
    }
  };
}
