import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { exporterDigestOf } from '@fastness/channel/node/tls';
import type { DirectTransport, OuterFetch, TlsConnection } from '@fastness/client/portable';
import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate } from '@fastness/codec/x509';

/** Connections that one client keeps open. */
const MAX_CONNECTIONS = 64;

/**
 * Outer exchanges over TLS 1.3 that must end in the enclave. Certificates are not judged: the evidence names exporter and key of
 * the connection on which it was asked for, and only connections under that key carry anything else.
 */
export function directTls(): DirectTransport {
  const connections = new WeakMap<object, TlsConnection>();
  const answered = new WeakMap<Response, TlsConnection>();
  let pinned: Uint8Array | undefined;
  let pool: Agent | undefined;

  const exchange: OuterFetch = async (url, init) => {
    if (pinned === undefined) throw new FastnessError('CLIENT_TLS_KEY', 'No enclave was verified.');
    const key = pinned;
    const check: Check = (socket) => {
      if (!equalBytes(connectionFacts(socket).spki, key)) throw new FastnessError('CLIENT_TLS_KEY');
    };
    pool ??= new VerifyingAgent({ keepAlive: true, maxSockets: MAX_CONNECTIONS }, check);
    const sent = await send(url, init, pool).catch((error: unknown) => {
      // The server closed a connection while nothing moved on it. Should it have read the request, it refuses a replay.
      if (error !== idleClosed) throw error;
      return send(url, init, new VerifyingAgent({ keepAlive: false }, check));
    });
    return sent.response;
  };
  return {
    exchange,
    attest: async (url, init) => {
      const agent = new VerifyingAgent({ keepAlive: false }, async (socket) => {
        const { spki } = connectionFacts(socket);
        connections.set(socket, { spki, exporterDigest: await exporterDigestOf(socket) });
      });
      const { response, socket } = await send(url, init, agent);
      const connection = connections.get(socket);
      if (connection !== undefined) answered.set(response, connection);
      return response;
    },
    connectionOf: (response) => answered.get(response),
    pin: (spki) => {
      if (pinned !== undefined && equalBytes(pinned, spki)) return;
      pinned = spki;
      // Connections under the key before end with what they carry; new requests take new ones.
      pool = undefined;
    },
  };
}

/** Thrown in place of the error of a connection that was used before and did not carry this request, where it can be sent again. */
const idleClosed = new Error('An idle connection was closed.');

type Check = (socket: TLSSocket) => void | Promise<void>;

/** Hands out connections that were looked at before anything is written to them. */
class VerifyingAgent extends Agent {
  readonly #check: Check;

  constructor(options: ConstructorParameters<typeof Agent>[0], check: Check) {
    // Without cached sessions every connection is a full handshake, which shows a certificate.
    super({ ...options, maxCachedSessions: 0 });
    this.#check = check;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: TLSSocket) => void,
  ): undefined {
    const { host, port } = options;
    const name = host ?? 'localhost';
    const socket = connect({
      host: name,
      port: Number(port ?? 443),
      ...(isIP(name) === 0 ? { servername: name } : {}),
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      // Only the evidence says who it is. TLS itself still proves that the server has the key of its certificate.
      rejectUnauthorized: false,
    });
    const failed = (error: Error): void => {
      socket.off('secureConnect', ready);
      socket.destroy();
      callback?.(error, socket);
    };
    const check = async (): Promise<void> => {
      try {
        await this.#check(socket);
      } catch (error) {
        socket.off('error', failed);
        socket.on('error', () => undefined);
        failed(error instanceof Error ? error : new Error('not an error'));
        return;
      }
      socket.off('error', failed);
      callback?.(null, socket);
    };
    const ready = (): void => void check();
    socket.once('error', failed);
    socket.once('secureConnect', ready);
    return undefined;
  }
}

function connectionFacts(socket: TLSSocket): { readonly spki: Uint8Array } {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw new FastnessError('CLIENT_TLS_KEY', 'The server shows no certificate.');
  return parseCertificate(new Uint8Array(certificate.raw));
}

function aborted(signal: AbortSignal | null | undefined): boolean {
  return signal?.aborted === true;
}

/** One request by Node's own HTTP, which lets one look at the connection; the platform's `fetch` does not. */
async function send(
  url: string,
  init: RequestInit,
  agent: Agent,
): Promise<{ readonly response: Response; readonly socket: object }> {
  const { method = 'GET', headers, body, signal } = init;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = httpsRequest(url, {
    agent,
    method,
    headers: Object.fromEntries(new Headers(headers)),
    ...(signal === null || signal === undefined ? {} : { signal }),
  });
  request.once('response', resolve);
  const repeatable = !(body instanceof ReadableStream);
  request.on('error', (error) => reject(repeatable && request.reusedSocket && !aborted(signal) ? idleClosed : error));
  if (body instanceof ReadableStream) {
    write(body, request).catch((error: unknown) => {
      request.destroy();
      reject(error);
    });
  } else if (body instanceof Uint8Array) request.end(body);
  else request.end();
  const incoming = await promise;
  // Taken now: a connection that is given back to the pool leaves the message.
  const { socket } = incoming;
  const fields = new Headers();
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) fields.set(name, Array.isArray(value) ? value.join(', ') : value);
  const status = incoming.statusCode ?? 500;
  const bodiless = status === 204 || status === 205 || status === 304;
  if (bodiless) incoming.resume();
  const stream = bodiless ? null : bodyOf(incoming);
  return { response: new Response(stream, { status, headers: fields }), socket };
}

/** Writes no faster than the connection takes it. */
async function write(body: ReadableStream<unknown>, request: ClientRequest): Promise<void> {
  const gone = new AbortController();
  request.once('close', () => gone.abort());
  for await (const part of body) {
    if (!(part instanceof Uint8Array)) throw new TypeError('a request body gave no bytes');
    if (!request.write(part)) await once(request, 'drain', { signal: gone.signal });
  }
  request.end();
}

/** Reads only when asked; who cancels ends the connection. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  const parts: AsyncIterator<unknown> = incoming[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        const { value, done } = await parts.next();
        if (done === true) controller.close();
        else if (value instanceof Uint8Array) controller.enqueue(new Uint8Array(value));
        else throw new TypeError('a response gave no bytes');
      },
      cancel: () => void incoming.destroy(),
    },
    { highWaterMark: 0 },
  );
}
