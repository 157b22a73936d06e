import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { maxWitnessRequest, type Witness } from '@fastness/log';

/** A witness that listens. */
interface ServedWitness extends AsyncDisposable {
  /** Its submission prefix. */
  readonly url: string;
}

/**
 * Serves `POST /add-checkpoint` of a witness over HTTP (put TLS in front of it for other machines). Requests are bounded in
 * size and time; what fails inside the witness is answered with 503 and told to `report` only.
 * @throws LOG_UNAVAILABLE when it cannot listen
 */
export async function serveWitness(options: {
  witness: Witness;
  host: string;
  port: number;
  report?: (error: unknown) => void;
}): Promise<ServedWitness> {
  const { witness, host, port, report = () => {} } = options;
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 30_000 });
  server.maxConnections = 256;
  server.on('request', (request, response) => {
    answer(witness, request, response).catch((error: unknown) => {
      report(error);
      if (!response.headersSent) send(response, 503, 'text/plain; charset=utf-8', 'LOG_UNAVAILABLE\n');
    });
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new FastnessError('LOG_UNAVAILABLE', `Cannot listen on ${host}:${port}.`, { cause });
  }
  const address = server.address();
  const listening = address !== null && typeof address === 'object' ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${listening}/`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(witness: Witness, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const plain = 'text/plain; charset=utf-8';
  if (request.url !== '/add-checkpoint') {
    send(response, 404, plain, 'no such route\n');
    return;
  }
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST');
    send(response, 405, plain, 'POST only\n');
    return;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    length += chunk.length;
    if (length > maxWitnessRequest) {
      response.setHeader('connection', 'close');
      send(response, 413, plain, 'LOG_WITNESS_REQUEST\n');
      return;
    }
    chunks.push(chunk);
  }
  const { status, contentType, body } = await witness.addCheckpoint(concatBytes(...chunks));
  send(response, status, contentType, body);
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}
