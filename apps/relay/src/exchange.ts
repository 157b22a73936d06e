import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable, Writable } from 'node:stream';
import { FastnessError } from '@fastness/codec/errors';
import { downstreamHeaders, upstreamHeaders, type RelayRoute } from './headers.ts';
import type { RelayLimits } from './limits.ts';
import type { ExchangeRecorder } from './record.ts';

/** What passed so far; kept current while the exchange runs. */
export interface ExchangeCounts {
  requestBytes: number;
  responseBytes: number;
  firstByteAt: number | undefined;
}

export interface Exchange {
  readonly route: RelayRoute;
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upstream: URL;
  readonly limits: RelayLimits;
  readonly counts: ExchangeCounts;
  readonly recorder: ExchangeRecorder | undefined;
  readonly clock: () => number;
  readonly extraHeaders: Readonly<Record<string, string>>;
}

/** Thrown when the client went away: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/**
 * Forwards one request and streams the answer back, a chunk at a time: a chunk is read only when the one before it was
 * taken, so a slow reader slows the enclave down instead of filling this process. The request need not be complete before
 * the answer begins. When either side goes away the other is cut off; a cut answer is recognisable by its missing final
 * chunk, in HTTP and in chunked OHTTP.
 *
 * Throws `ClientGone`, a `FastnessError` when nothing was answered yet, or any error after the answer began.
 */
export async function forward(exchange: Exchange): Promise<void> {
  const { request, response, limits, counts, recorder, clock } = exchange;
  const abort = new AbortController();
  const onClose = (): void => {
    if (!response.writableFinished) abort.abort(new ClientGone());
  };
  response.once('close', onClose);
  const whole = setTimeout(() => {
    abort.abort(new FastnessError('RELAY_UPSTREAM_TIMEOUT', 'The whole exchange took too long.'));
  }, limits.exchangeTimeoutMs);
  const begin = setTimeout(() => {
    abort.abort(new FastnessError('RELAY_UPSTREAM_TIMEOUT'));
  }, limits.responseTimeoutMs);

  try {
    const upstreamRequest = openUpstream(exchange, abort.signal);
    const answered = answerOf(upstreamRequest);
    const upload = uploadTo(upstreamRequest, exchange, abort.signal);
    // Rejects when the upload does, and never resolves: an upload that is done decides nothing.
    const uploadFailed = upload.then(() => new Promise<never>(() => {}));
    const answer = await Promise.race([answered, uploadFailed]);
    clearTimeout(begin);
    counts.firstByteAt = clock();
    const headers = { ...downstreamHeaders(answer.headers, limits.responseBytes), ...exchange.extraHeaders };
    if (!request.complete) headers['connection'] = 'close';
    recorder?.responseHead(answer.statusCode ?? 0, answer.headers);
    response.writeHead(answer.statusCode ?? 502, headers);
    response.flushHeaders();
    const download = pump({
      source: answer,
      sink: response,
      signal: abort.signal,
      onChunk: (chunk) => {
        counts.responseBytes += chunk.length;
        if (counts.responseBytes > limits.responseBytes) throw new FastnessError('RELAY_UPSTREAM_INVALID');
        recorder?.response(chunk);
      },
    });
    await Promise.race([download, uploadFailed]);
  } catch (error) {
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    clearTimeout(whole);
    clearTimeout(begin);
    response.off('close', onClose);
    // Ends whatever still runs; after a complete exchange nothing does.
    abort.abort(new ClientGone());
  }
}

function openUpstream(exchange: Exchange, signal: AbortSignal): ClientRequest {
  const { upstream, path, route, request, limits } = exchange;
  // One connection for each exchange: the enclave's operator cannot tell by it which exchanges belong together, and no
  // request meets a connection that is just being closed.
  const options = {
    method: route.method,
    headers: upstreamHeaders(route, request.headers, { host: upstream.host, requestBytes: limits.requestBytes }),
    agent: false,
    signal,
    maxHeaderSize: limits.headerBytes,
    setDefaultHeaders: false,
  } as const;
  const url = new URL(path, upstream);
  const made = upstream.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
  made.setNoDelay(true);
  made.flushHeaders();
  return made;
}

/** Copies the request's body. A body on a GET was refused before, for nothing would mark its end on the other side. */
async function uploadTo(upstreamRequest: ClientRequest, exchange: Exchange, signal: AbortSignal): Promise<void> {
  const { request, limits, counts, recorder } = exchange;
  const onChunk = (chunk: Uint8Array): void => {
    counts.requestBytes += chunk.length;
    if (counts.requestBytes > limits.requestBytes) {
      throw new FastnessError('RELAY_BODY_LIMIT', `At most ${limits.requestBytes} bytes.`);
    }
    recorder?.request(chunk);
  };
  try {
    await pump({ source: request, sink: upstreamRequest, signal, onChunk });
  } catch (error) {
    // What else can fail here is reading from the client.
    throw error instanceof FastnessError ? error : new ClientGone();
  }
}

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    // Stays for good: an error after the answer began reaches whoever reads the answer.
    request.on('error', (cause) => {
      const code = 'code' in cause && cause.code === 'HPE_HEADER_OVERFLOW' ? 'RELAY_UPSTREAM_INVALID' : undefined;
      reject(new FastnessError(code ?? 'RELAY_UPSTREAM_UNAVAILABLE', undefined, { cause }));
    });
  });
}

/** Copies a stream with backpressure. A sink that went away ends the copy silently: its owner knows why. */
async function pump(options: {
  source: Readable;
  sink: Writable;
  signal: AbortSignal;
  onChunk: (chunk: Uint8Array) => void;
}): Promise<void> {
  const { source, sink, signal, onChunk } = options;
  // The source stays open when this ends early: an incoming request shares its connection with the answer.
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    onChunk(chunk);
    if (sink.destroyed || sink.writableEnded) return;
    if (!sink.write(chunk)) await drained(sink, signal);
  }
  if (!sink.destroyed && !sink.writableEnded) {
    await new Promise<void>((resolve) => {
      sink.once('close', resolve);
      sink.end(resolve);
    });
  }
}

/** Resolves when the sink takes more or went away, rejects when `signal` fires. Leaves no listener behind. */
async function drained(sink: Writable, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const done = (): void => {
      sink.off('drain', done).off('close', done);
      signal.removeEventListener('abort', done);
      if (signal.aborted) reject(new ClientGone());
      else resolve();
    };
    sink.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
