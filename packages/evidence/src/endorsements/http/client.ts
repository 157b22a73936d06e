import { setTimeout as delay } from 'node:timers/promises';
import { FastnessError } from '@fastness/codec/errors';
import type { Fetch, HttpAnswer } from './answer.ts';
import { exchange, type HttpRequest } from './exchange.ts';

export interface HttpOptions {
  /** Default: the global one. */
  readonly fetch?: Fetch;
  /** For one attempt, redirects and body included. Default 10 seconds. */
  readonly timeoutMs?: number;
  /** How often one thing is asked for, the first time included. Default 4. */
  readonly attempts?: number;
  /** The first pause between attempts; it doubles each time and a random part of it is taken off. Default 500 ms. */
  readonly backoffMs?: number;
  /**
   * The longest pause. A service that asks for more is not asked again in this call, and by nobody in this process until
   * the time it named. Default 10 seconds.
   */
  readonly maxPauseMs?: number;
  /** Requests to one origin at a time. Default 4. */
  readonly concurrency?: number;
  readonly now?: () => Date;
  /** From 0 up to 1. */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface HttpClient {
  /**
   * Asks, and asks again while that may help.
   * @throws ENDORSEMENT_URL, ENDORSEMENT_UNAVAILABLE, ENDORSEMENT_TIMEOUT, ENDORSEMENT_RATE_LIMITED,
   *   ENDORSEMENT_NOT_FOUND, ENDORSEMENT_REFUSED, ENDORSEMENT_REDIRECTED, ENDORSEMENT_TOO_LARGE, ENDORSEMENT_RESPONSE,
   *   and the reason of `signal` when it is raised
   */
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer>;
}

interface Origin {
  active: number;
  readonly waiting: (() => void)[];
  /** No request before this time, in milliseconds since 1970. */
  closedUntil: number;
}

/** An HTTP client for endorsement services: polite to them, and never waiting without an end. */
export function createHttpClient(options: HttpOptions = {}): HttpClient {
  const { fetch = globalThis.fetch, timeoutMs = 10_000, attempts = 4, backoffMs = 500, maxPauseMs = 10_000 } = options;
  const { concurrency = 4, random = Math.random, now = () => new Date(), sleep = pause } = options;
  const origins = new Map<string, Origin>();

  const originOf = (url: URL): Origin => {
    const known = origins.get(url.origin) ?? { active: 0, waiting: [], closedUntil: 0 };
    origins.set(url.origin, known);
    return known;
  };

  return Object.freeze<HttpClient>({
    async send(request, signal) {
      const origin = originOf(request.url);
      await enter(origin, concurrency, signal);
      try {
        for (let attempt = 1; ; attempt += 1) {
          signal?.throwIfAborted();
          refuseClosed(origin, request.url, now().getTime());
          const outcome = await exchange(fetch, request, {
            timeoutMs,
            now,
            ...(signal === undefined ? {} : { signal }),
          });
          if ('answer' in outcome) return outcome.answer;
          const { error, again, retryAfterMs = 0 } = outcome;
          if (retryAfterMs > maxPauseMs) origin.closedUntil = now().getTime() + retryAfterMs;
          if (!again || attempt >= attempts || retryAfterMs > maxPauseMs) throw error;
          // Callers that failed together must not come back together.
          // AMD says 429 without saying for how long, and means seconds.
          const first = error.code === 'ENDORSEMENT_RATE_LIMITED' ? 4 * backoffMs : backoffMs;
          const backoff = Math.min(first * 2 ** (attempt - 1), maxPauseMs) * (0.5 + random() / 2);
          await sleep(Math.max(retryAfterMs, backoff), signal);
        }
      } finally {
        leave(origin);
        // Certificates name hosts: an origin that nobody uses is forgotten, unless it asked for a pause.
        if (origin.active === 0 && origin.closedUntil <= now().getTime()) origins.delete(request.url.origin);
      }
    },
  });
}

/** A service that named a time is left alone until then, instead of being told the same thing once more. */
function refuseClosed(origin: Origin, url: URL, time: number): void {
  const left = origin.closedUntil - time;
  if (left > 0) {
    throw new FastnessError(
      'ENDORSEMENT_RATE_LIMITED',
      `${url.origin} asked for a pause, ${Math.ceil(left / 1000)} s are left.`,
    );
  }
}

async function enter(origin: Origin, concurrency: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (origin.active < concurrency) {
    origin.active += 1;
    return;
  }
  // Whoever leaves hands its place over; who gives up leaves the queue.
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = (): void => {
    const place = origin.waiting.indexOf(resolve);
    if (place < 0) return;
    origin.waiting.splice(place, 1);
    reject(abortReason(signal));
  };
  origin.waiting.push(resolve);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

function leave(origin: Origin): void {
  const next = origin.waiting.shift();
  if (next === undefined) origin.active -= 1;
  else next();
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
