import { readFile } from 'node:fs/promises';
import { FastnessError } from '@fastness/codec/errors';
import { readHomeConfig, type Home } from './home.ts';

const timeoutMilliseconds = 30_000;

/** Calls an admin route of the broker with the home's credential; a problem document comes back as its error. */
export async function callBrokerAdmin(
  home: Home,
  options: { method: 'GET' | 'PUT' | 'POST'; path: string; body?: unknown; url?: string; signal: AbortSignal },
): Promise<unknown> {
  const base = options.url ?? (await readHomeConfig(home)).brokerUrl;
  const token = (await readFile(home.adminTokenFile, 'utf8')).trim();
  const response = await request(new URL(options.path, base), {
    method: options.method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMilliseconds)]),
  });
  const text = await response.text();
  const value: unknown = text === '' ? null : parse(text);
  if (!response.ok)
    throw (
      FastnessError.fromProblem(value) ??
      new FastnessError('CLI_SERVER_UNREACHABLE', `${base} answered ${response.status}.`)
    );
  return value;
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new FastnessError('CLI_SERVER_UNREACHABLE', url.origin, { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('CLI_SERVER_UNREACHABLE', 'The answer is not JSON; is this the broker?', { cause });
  }
}
