import { request as httpRequest, type IncomingMessage } from 'node:http';
import { FastnessError } from '@fastness/codec/errors';

/** Where the server listens: a Unix socket in a folder of the enclave's own, or a port with a secret. */
export type UpstreamAddress = { readonly socketPath: string } | { readonly port: number; readonly key: string };

const MAX_BODY = 64 * 2 ** 20;

/** Sends a request; when `signal` fires the connection is cut, which is how servers learn to stop working. */
export async function send(
  address: UpstreamAddress,
  options: { readonly path: string; readonly body?: unknown; readonly signal: AbortSignal },
): Promise<IncomingMessage> {
  const { path, body, signal } = options;
  signal.throwIfAborted();
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpRequest({
    ...('socketPath' in address ? { socketPath: address.socketPath } : { host: '127.0.0.1', port: address.port }),
    path,
    method: text === undefined ? 'GET' : 'POST',
    agent: false,
    headers: {
      host: 'localhost',
      ...('key' in address ? { authorization: `Bearer ${address.key}` } : {}),
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    },
  });
  const abort = (): void => void request.destroy();
  signal.addEventListener('abort', abort, { once: true });
  request.once('close', () => signal.removeEventListener('abort', abort));
  request.once('response', resolve);
  request.once('error', (cause) =>
    reject(signal.aborted ? signal.reason : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause })),
  );
  request.end(text);
  return promise;
}

/** A whole JSON answer with its status. */
export async function readJson(response: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of response as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > MAX_BODY) throw new FastnessError('ENCLAVE_ENGINE_FAILED', 'The answer is too long.');
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw cause instanceof FastnessError ? cause : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
  }
}

/** The data of each event of a stream up to `[DONE]`. A stream that ends before it was cut. */
export async function* readEvents(response: IncomingMessage, signal: AbortSignal): AsyncGenerator<unknown, void> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const part of response as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_BODY) throw new FastnessError('ENCLAVE_ENGINE_FAILED', 'An event is too long.');
      for (const line of lines) {
        if (!line.startsWith('data:')) continue;
        const data = line.slice(5).trim();
        if (data === '[DONE]') return;
        yield JSON.parse(data) as unknown;
      }
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw cause instanceof FastnessError ? cause : new FastnessError('ENCLAVE_ENGINE_FAILED', undefined, { cause });
  }
  if (signal.aborted) throw signal.reason;
  throw new FastnessError('ENCLAVE_ENGINE_FAILED', 'The stream was cut.');
}
