import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import { connect } from 'node:net';

export interface TestUpstream {
  readonly url: string;
  readonly seen: IncomingMessage[];
  readonly server: Server;
  close(): Promise<void>;
}

/** A real HTTP server on loopback in the enclave's place. */
export async function startUpstream(listener: RequestListener): Promise<TestUpstream> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    server,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends bytes as they are and returns all that comes back until the other side closes. */
export async function rawExchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(text);
    });
    socket.write(bytes);
  });
}

/** Opens a request whose body the caller writes by hand. */
export function openRequest(url: string, headers: Record<string, string>): ReturnType<typeof httpRequest> {
  return httpRequest(url, { method: 'POST', headers, agent: false });
}

export async function until(condition: () => boolean, timeoutMs = 60_000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > timeoutMs) throw new Error('condition not reached in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function responseTo(request: ReturnType<typeof httpRequest>): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
}

export async function nextChunk(response: IncomingMessage): Promise<string> {
  return await new Promise((resolve) => {
    response.once('data', (chunk: Buffer) => {
      resolve(chunk.toString());
    });
  });
}
