import { FastnessError } from '@fastness/codec/errors';
import type { Fetch, HttpAnswer } from './answer.ts';
import { checkUrl, withoutQuery } from './url.ts';

export interface HttpRequest {
  readonly url: URL;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly maxBytes: number;
  readonly plainHost?: string;
}

/** What one exchange came to: an answer, or why there is none and whether asking again makes sense. */
export type Exchanged =
  | { readonly answer: HttpAnswer }
  | { readonly error: FastnessError; readonly again: boolean; readonly retryAfterMs?: number };

const MAX_REDIRECTS = 3;
const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000;
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/**
 * What a captive portal or an error page sends. Vendors label the same certificate in several ways, so that a list of what
 * is right would refuse the real thing; the signature decides in the end.
 */
const FOREIGN = /^(?:text\/(?:html|css|javascript)|application\/xhtml\+xml|(?:image|audio|video|font)\/)/i;

/** One request with its redirects, a time limit over all of it and a size limit. `signal` is the caller's. */
export async function exchange(
  fetch: Fetch,
  request: HttpRequest,
  options: { readonly timeoutMs: number; readonly now: () => Date; readonly signal?: AbortSignal },
): Promise<Exchanged> {
  const { timeoutMs, signal: outer } = options;
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), timeoutMs);
  const signal = outer === undefined ? timer.signal : AbortSignal.any([outer, timer.signal]);
  try {
    return await follow(fetch, request, signal, options.now);
  } catch (cause) {
    outer?.throwIfAborted();
    if (cause instanceof FastnessError) return { error: cause, again: false };
    const where = withoutQuery(request.url);
    if (timer.signal.aborted) {
      return { error: new FastnessError('ENDORSEMENT_TIMEOUT', `${where}, ${timeoutMs} ms.`, { cause }), again: true };
    }
    return { error: new FastnessError('ENDORSEMENT_UNAVAILABLE', `${where}.`, { cause }), again: true };
  } finally {
    clearTimeout(timeout);
  }
}

async function follow(fetch: Fetch, request: HttpRequest, signal: AbortSignal, now: () => Date): Promise<Exchanged> {
  const { method = 'GET', headers, body } = request;
  let { url } = request;
  for (let redirects = 0; ; redirects += 1) {
    checkUrl(url, request.plainHost);
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal,
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
    });
    const { status } = response;
    if (status === 200) return { answer: { url, headers: response.headers, body: await read(response, request) } };
    await response.body?.cancel();
    if (status < 300 || status > 399) return refusal(url, response, now());
    const target = redirectOf(url, response.headers.get('location'));
    if (redirects >= MAX_REDIRECTS)
      throw new FastnessError('ENDORSEMENT_REDIRECTED', `${withoutQuery(url)}: in circles.`);
    url = target;
  }
}

/** Another origin was not asked for, whatever it would answer. */
function redirectOf(from: URL, location: string | null): URL {
  const target = location === null ? undefined : URL.parse(location, from.href);
  if (target === null || target === undefined) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(from)}: a redirect to nowhere.`);
  }
  if (target.origin !== from.origin) {
    throw new FastnessError('ENDORSEMENT_REDIRECTED', `From ${from.origin} to ${target.origin}.`);
  }
  return target;
}

function refusal(url: URL, response: Response, now: Date): Exchanged {
  const { status } = response;
  const where = `${withoutQuery(url)}: status ${status}`;
  const retryAfterMs = retryAfter(response.headers.get('retry-after'), now);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  const seconds = retryAfterMs === undefined ? '' : `, to be asked again in ${Math.ceil(retryAfterMs / 1000)} s`;
  if (status === 429) {
    return { error: new FastnessError('ENDORSEMENT_RATE_LIMITED', `${where}${seconds}.`), again: true, ...wait };
  }
  if (status === 404 || status === 410) {
    return { error: new FastnessError('ENDORSEMENT_NOT_FOUND', `${where}.`), again: false };
  }
  if (status === 401 || status === 403) {
    return { error: new FastnessError('ENDORSEMENT_REFUSED', `${where}.`), again: false };
  }
  const error = new FastnessError('ENDORSEMENT_UNAVAILABLE', `${where}${seconds}.`);
  return { error, again: TRANSIENT.has(status), ...wait };
}

/** Seconds or a date (RFC 9110, section 10.2.3), as milliseconds from now, at most a day. */
function retryAfter(value: string | null, now: Date): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

async function read(response: Response, { url, maxBytes }: HttpRequest): Promise<Uint8Array> {
  const where = withoutQuery(url);
  const type = response.headers.get('content-type') ?? '';
  if (FOREIGN.test(type)) {
    await response.body?.cancel();
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${where}: ${type.slice(0, 64)}.`);
  }
  const tooLarge = () => new FastnessError('ENDORSEMENT_TOO_LARGE', `${where}: more than ${maxBytes} bytes.`);
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body?.cancel();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the stream: nothing beyond the limit is read.
  const stream: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
  for await (const chunk of stream ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.length;
  }
  return body;
}
