import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { FastnessError } from '@fastness/codec/errors';
import type { z } from 'zod';
import { adminCredential, type AdminCredential } from './admin-credential.ts';
import { homeExists, readHomeConfig, type Home } from './home.ts';
import { isLoopback } from './listen.ts';

const timeoutMilliseconds = 30_000;
const answerLimitBytes = 1024 * 1024;

/**
 * Calls an admin route of the broker with the home's credential (see `adminCredential`). The credential goes over TLS or to this machine only,
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
  const config = homeExists(home) || options.url === undefined ? await readHomeConfig(home) : undefined;
  const url = addressOf(options.url ?? config?.brokerUrl ?? '', options.path);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMilliseconds)]);
  const { status, text } = await send(url, {
    method: options.method,
    ...(await adminCredential(home, config?.admin)),
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    limit: options.answerLimit ?? answerLimitBytes,
    signal,
  });
  const value = parse(text);
  if (status < 200 || status > 299) {
    throw (
      FastnessError.fromProblem(value) ??
      new FastnessError('CLI_SERVER_UNREACHABLE', `${url.origin} answered ${status}.`)
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

/** One request on a connection of its own. A redirect is an answer like others: it would carry the credential elsewhere. */
async function send(
  url: URL,
  options: AdminCredential & { method: string; body?: string; limit: number; signal: AbortSignal },
): Promise<{ status: number; text: string }> {
  const { method, token, tls, body, limit, signal } = options;
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const common = { method, headers, signal, agent: false as const };
      const request =
        url.protocol === 'https:'
          ? requestHttps(url, { ...common, ...tls, minVersion: 'TLSv1.3' }, resolve)
          : requestHttp(url, common, resolve);
      request.on('error', reject);
      request.end(body);
    });
    const decoder = new TextDecoder();
    let text = '';
    for await (const part of response as AsyncIterable<Uint8Array>) {
      text += decoder.decode(part, { stream: true });
      // Leaving the loop closes the connection.
      if (text.length > limit) throw new FastnessError('CLI_ADMIN_ANSWER', `It is over ${limit} characters.`);
    }
    return { status: response.statusCode ?? 0, text: text + decoder.decode() };
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('CLI_SERVER_UNREACHABLE', url.origin, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
