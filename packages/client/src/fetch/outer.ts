import { collect, outerTypesOf, type OhttpProtocol } from '@fastness/channel';
import { attestationBundleSchema, parseWireJson, wireLimits, type AttestationBundle } from '@fastness/channel/wire';
import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { DirectTransport, TlsConnection } from './direct.ts';

/** What the client needs of a `fetch`. */
export type OuterFetch = (url: string, init: RequestInit) => Promise<Response>;

interface Attested {
  readonly bundle: AttestationBundle;
  /** The TLS connection that it came over, where that has to end in the enclave. */
  readonly tls?: TlsConnection;
}

/** The outer exchanges: what a relay can see. Nothing here is authenticated. */
export interface Outer {
  /** `POST /attestation`. */
  readonly attest: (nonce: Uint8Array, signal?: AbortSignal) => Promise<Attested>;
  /** `POST /ohttp`: a sealed body out, a sealed body of the same protocol back. */
  readonly exchange: (
    body: Uint8Array | ReadableStream<Uint8Array>,
    protocol: OhttpProtocol,
    signal?: AbortSignal,
  ) => Promise<ReadableStream<Uint8Array>>;
}

const maxProblem = 64 * 1024;

/** No cookies, no cache, no referrer: nothing by which a relay could tell one client from another. A redirect is refused. */
const quiet = { credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer', redirect: 'error' } as const;

/**
 * @param url base URL of a relay or enclave, `http:` or `https:`, with or without a path, without a user or password
 * @throws FastnessError `CLIENT_OPTION_INVALID`
 */
export function createOuter(url: string, fetch: OuterFetch, direct?: DirectTransport): Outer {
  const base = baseOf(url);
  if (direct !== undefined && !base.startsWith('https:'))
    throw new FastnessError('CLIENT_OPTION_INVALID', 'url must begin with https where TLS ends in the enclave.');
  const post = async (
    path: string,
    contentType: string,
    body: BodyInit,
    signal: AbortSignal | undefined,
    send: OuterFetch,
  ): Promise<Response> => {
    const init: RequestInit & { duplex?: 'half' } = {
      ...quiet,
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
      ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      ...(signal === undefined ? {} : { signal }),
    };
    let response: Response;
    try {
      response = await send(`${base}${path}`, init);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof FastnessError) throw error;
      throw new FastnessError('CLIENT_UNREACHABLE', base, { cause: error });
    }
    if (!response.ok) throw await refusalOf(response);
    return response;
  };
  return {
    attest: async (nonce, signal) => {
      const asked = { nonce: toBase64Url(nonce), ...(direct === undefined ? {} : { tlsExporter: true }) };
      const text = utf8Encode(JSON.stringify(asked));
      const response = await post('/attestation', 'application/json', text, signal, direct?.attest ?? fetch);
      const limit = wireLimits.attestationBundle;
      const bytes = await bodyUpTo(response, limit);
      if (bytes === undefined) throw new FastnessError('CHANNEL_WIRE_TOO_LARGE', `More than ${limit} bytes.`);
      const bundle = parseWireJson(attestationBundleSchema, bytes, limit);
      if (direct === undefined) return { bundle };
      const tls = direct.connectionOf(response);
      // Without knowing the connection nothing can be compared.
      if (tls === undefined) throw new FastnessError('CLIENT_TLS_UNBOUND');
      return { bundle, tls };
    },
    exchange: async (body, protocol, signal) => {
      const types = outerTypesOf(protocol);
      const sealed = body instanceof ReadableStream ? body : new Uint8Array(body);
      const response = await post('/ohttp', types.request, sealed, signal, direct?.exchange ?? fetch);
      const type = response.headers.get('content-type');
      if (type !== types.response || response.body === null) {
        await response.body?.cancel();
        throw new FastnessError('CLIENT_RESPONSE_TYPE', `Media type ${printable(type ?? 'none')}.`);
      }
      return response.body;
    },
  };
}

function baseOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search !== '' || parsed.hash !== '') {
    throw new FastnessError('CLIENT_OPTION_INVALID', 'url must be an http or https URL without query and fragment.');
  }
  // Errors name this URL, so nothing secret may be in it. The platform's fetch would refuse it as well, and quote it.
  if (parsed.username !== '' || parsed.password !== '') {
    throw new FastnessError('CLIENT_OPTION_INVALID', 'url must not hold a user or password.');
  }
  return parsed.href.replace(/\/+$/, '');
}

/**
 * The error behind an answer that is no success. A relay or enclave says it with a problem document; whoever stands in
 * between could too, so only codes of those parts are believed, and only as a reason to fail or to verify again.
 */
async function refusalOf(response: Response): Promise<FastnessError> {
  const bytes = await bodyUpTo(response, maxProblem).catch(() => undefined);
  const problem = FastnessError.fromProblem(jsonOf(bytes));
  if (problem !== undefined && /^(?:CHANNEL|ENCLAVE|RELAY)_/.test(problem.code)) {
    return new FastnessError(problem.code, problem.detail === undefined ? undefined : printable(problem.detail));
  }
  return new FastnessError('CLIENT_REFUSED', `HTTP status ${response.status}.`);
}

async function bodyUpTo(response: Response, limit: number): Promise<Uint8Array | undefined> {
  return response.body === null ? new Uint8Array(0) : collect(response.body, limit);
}

function jsonOf(bytes: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Text of unknown origin, fit for a log line. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
