import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { readHomeConfig, readText, type Home } from './home.ts';
import { isLoopback } from './listen.ts';

const timeoutMilliseconds = 30_000;
const answerLimitBytes = 1024 * 1024;

/**
 * Calls an admin route of the broker with the home's credential. The credential goes over TLS or to this machine only,
 * and an answer counts when it has the route's form. A problem document comes back as its error.
 */
export async function callBrokerAdmin<Answer>(
  home: Home,
  options: {
    method: 'GET' | 'PUT' | 'POST';
    path: string;
    /** JSON; absent where the route takes none. */
    body?: unknown;
    answer: z.ZodType<Answer>;
    /** Bytes; default 1 MiB. */
    answerLimit?: number;
    url?: string;
    signal: AbortSignal;
  },
): Promise<Answer> {
  const base = options.url ?? (await readHomeConfig(home)).brokerUrl;
  const url = addressOf(base, options.path);
  const token = (await readText(home.adminTokenFile)).trim();
  const response = await request(url, {
    method: options.method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    // A redirect would carry the credential elsewhere.
    redirect: 'error',
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMilliseconds)]),
  });
  const value = parse(await textOf(response, options.answerLimit ?? answerLimitBytes));
  if (!response.ok) {
    throw (
      FastnessError.fromProblem(value) ??
      new FastnessError('CLI_SERVER_UNREACHABLE', `${url.origin} answered ${response.status}.`)
    );
  }
  const answer = options.answer.safeParse(value);
  if (!answer.success) throw new FastnessError('CLI_ADMIN_ANSWER', url.origin);
  return answer.data;
}

function addressOf(base: string, path: string): URL {
  const url = URL.canParse(base) ? new URL(path, base) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new FastnessError(
      'CLI_USAGE',
      'The address of the broker is http(s)://host:port, without a user or password.',
    );
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw new FastnessError('CLI_ADMIN_TRANSPORT', url.origin);
  return url;
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new FastnessError('CLI_SERVER_UNREACHABLE', url.origin, { cause });
  }
}

async function textOf(response: Response, limit: number): Promise<string> {
  let text = '';
  if (response.body === null) return text;
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.length > limit) throw new FastnessError('CLI_ADMIN_ANSWER', `It is over ${limit} characters.`);
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
