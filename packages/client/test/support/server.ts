import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { outerTypesOf, protocolOfType, type OpenedRequest } from '@fastness/channel';
import { attestationRequestSchema, parseWireJson, type AttestationBundle } from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import type { ForgedEnclave } from './scenario.ts';

/** What the inside of the enclave answers. */
export interface InnerResponse {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: ReadableStream<Uint8Array> | Uint8Array | null;
}

export interface ServerOptions {
  readonly enclave: ForgedEnclave;
  readonly answer: (request: OpenedRequest['request']) => Promise<InnerResponse> | InnerResponse;
  /** Replaces the attestation bundle: what a lying enclave or relay sends. */
  readonly attestation?: (bundle: AttestationBundle) => unknown;
  /** Replaces the trailers of a response. */
  readonly trailers?: (honest: HeadersInit) => HeadersInit;
  /** A field of the inner request that the enclave does not see. */
  readonly hide?: string;
  /** Changes the outer response to `/ohttp`: what a relay can do to it. */
  readonly outer?: (sealed: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
  /** The media type of the answers to `/ohttp`, whatever they are. */
  readonly type?: string;
  /** Answers a path before the enclave does. */
  readonly before?: (path: string, response: ServerResponse) => boolean;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Paths in the order they were asked for. */
  readonly log: string[];
  /** Media types of what came to `/ohttp`. */
  readonly types: string[];
  /** Sealed request bodies as they arrived. */
  readonly bodies: Uint8Array[];
}

/** A local HTTP server with the outer interface of an enclave: real gateway, real receipts, forged evidence. */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const log: string[] = [];
  const bodies: Uint8Array[] = [];
  const types: string[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => refuse(response, error));
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    log.push(path);
    if (options.before?.(path, response) === true) return;
    if (path === '/attestation') return attest(request, response);
    if (path !== '/ohttp') throw new FastnessError('CHANNEL_HTTP_CONTROL');
    const chunks: Uint8Array[] = [];
    types.push(request.headers['content-type'] ?? '');
    const opened = await options.enclave.generation.gateway.open(
      webStream(request, chunks),
      protocolOfType(request.headers['content-type'] ?? null),
    );
    if (options.hide !== undefined) opened.request.headers.delete(options.hide);
    const honest = options.enclave.generation.receipts.trailersFor(opened);
    const inner = await options.answer(opened.request);
    const sealed = opened.sealResponse({
      status: inner.status ?? 200,
      headers: inner.headers ?? {},
      body: inner.body ?? null,
      trailers: async (end) => {
        const fields = await honest(end);
        bodies.push(Buffer.concat(chunks));
        return options.trailers?.(fields) ?? fields;
      },
    });
    response.writeHead(200, { 'content-type': options.type ?? outerTypesOf(opened.protocol).response });
    response.flushHeaders();
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const reader = (options.outer?.(sealed) ?? sealed).getReader();
    gone.signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined));
    for (let part = await reader.read(); !part.done; part = await reader.read()) response.write(part.value);
    response.end();
  }

  async function attest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of request) if (part instanceof Uint8Array) parts.push(part);
    const { nonce } = parseWireJson(attestationRequestSchema, Buffer.concat(parts), 1024);
    const bundle = await options.enclave.attest(nonce);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(options.attestation?.(bundle) ?? bundle));
  }

  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return { url: `http://127.0.0.1:${address.port}`, log, types, bodies, [Symbol.asyncDispose]: () => stop(server) };
}

/** Answers with a problem document, or cuts a response that has begun. */
function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || !(error instanceof FastnessError)) {
    response.destroy();
    return;
  }
  response.writeHead(error.httpStatus, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify(error.toProblem()));
}

function webStream(request: IncomingMessage, seen: Uint8Array[]): ReadableStream<Uint8Array> {
  const iterator = request[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const result = await iterator.next();
      if (result.done === true) {
        controller.close();
        return;
      }
      const bytes: unknown = result.value;
      if (!(bytes instanceof Uint8Array)) throw new TypeError('not bytes');
      seen.push(bytes);
      controller.enqueue(bytes);
    },
  });
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => {
    server.close(resolve);
  });
  server.closeAllConnections();
  await closed;
}
