import { concatBytes, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

export interface PostJsonOptions {
  /** Milliseconds. Default: 20,000. */
  readonly timeoutMs?: number;
  /** Default: the one of this process. */
  readonly fetch?: typeof globalThis.fetch;
}

const MAX_ANSWER = 65_536;

/** Sends JSON to a service that has to do with evidence; otherwise as {@link askJson}. */
export async function postJson(url: string, body: object, options: PostJsonOptions = {}): Promise<unknown> {
  return await askJson(url, { method: 'POST', body: JSON.stringify(body) }, options);
}

/**
 * Asks a service that has to do with evidence and returns what it answers with, parsed and of no known shape: at most 64 KiB, no
 * redirects followed. Headers may hold a secret: no error repeats them.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED for any status but success, EVIDENCE_RESPONSE
 */
export async function askJson(
  url: string,
  request: {
    readonly method: 'GET' | 'POST';
    readonly headers?: Readonly<Record<string, string>>;
    /** JSON. */
    readonly body?: string;
  },
  options: PostJsonOptions = {},
): Promise<unknown> {
  const { timeoutMs = 20_000, fetch = globalThis.fetch } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  let answer: Response;
  let bytes: Uint8Array;
  try {
    answer = await fetch(url, {
      method: request.method,
      headers: { ...(request.body === undefined ? {} : { 'content-type': 'application/json' }), ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'error',
      signal,
    });
    bytes = await bodyOf(url, answer);
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    if (signal.aborted) throw new FastnessError('EVIDENCE_TIMEOUT', `${url}: ${timeoutMs} ms.`, { cause });
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${url} does not answer.`, { cause });
  }
  if (!answer.ok) throw new FastnessError('EVIDENCE_REFUSED', `${url}: status ${answer.status}.`);
  try {
    return JSON.parse(utf8Decode(bytes)) as unknown;
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${url}: no JSON.`, { cause });
  }
}

async function bodyOf(url: string, answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of answer.body ?? []) {
    total += part.length;
    if (total > MAX_ANSWER) throw new FastnessError('EVIDENCE_RESPONSE', `${url}: more than ${MAX_ANSWER} bytes.`);
    parts.push(part);
  }
  return concatBytes(...parts);
}
