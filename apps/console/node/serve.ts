import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { contentSecurityPolicy, type ConsoleSite } from './build.ts';

export interface ServedConsole {
  readonly url: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = Object.freeze({
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
});

/** What a page cannot say of itself is said in headers: that nobody may frame it, and that it gets a process of its own. */
const headers = Object.freeze({
  'content-security-policy': `${contentSecurityPolicy}; frame-ancestors 'none'`,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
});

/**
 * Serves the console. `/start` leads to the page with `fragment()` behind `#`, which browsers send to no server. A request
 * under a foreign host name is refused (DNS rebinding).
 * @throws FastnessError `CLI_LISTEN`
 */
export async function serveConsole(options: {
  /** Called at the first request, and again only if that failed. */
  readonly site: () => Promise<ConsoleSite>;
  readonly host: string;
  readonly port: number;
  readonly fragment: () => Promise<string>;
}): Promise<ServedConsole> {
  const { host, port, fragment } = options;
  let made: Promise<ConsoleSite> | undefined;
  const files = async (): Promise<ConsoleSite> => {
    made ??= options.site();
    try {
      return await made;
    } catch (error) {
      made = undefined;
      throw error;
    }
  };
  const hosts = new Set(['127.0.0.1', 'localhost', '[::1]', host]);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = URL.parse(request.url ?? '/', `http://${request.headers.host ?? ''}`);
    if (url === null || !hosts.has(url.hostname)) return end(response, 421);
    if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405);
    if (url.pathname === '/start') {
      response.setHeader('location', `/#${await fragment()}`);
      return end(response, 303);
    }
    const name = url.pathname === '/' ? 'index.html' : url.pathname.slice(1);
    const bytes = (await files()).get(name);
    if (bytes === undefined) return end(response, 404);
    response.setHeader('content-type', types[extname(name)] ?? 'application/octet-stream');
    end(response, 200, request.method === 'HEAD' ? undefined : bytes);
  };
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(request, response).catch((error: unknown) => {
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      end(response, 500, new TextEncoder().encode(`The page could not be made: ${String(error)}\n`));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('CLI_LISTEN', `${host}:${port}`, { cause })));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${shown}:${typeof address === 'object' && address !== null ? address.port : port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function end(response: ServerResponse, status: number, body?: Uint8Array): void {
  response.statusCode = status;
  response.end(body);
}
