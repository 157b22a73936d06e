import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { afterEach, describe, expect, it } from 'vitest';
import { startRelay, type Relay, type RelayAccess, type RelayOptions } from '../src/index.ts';
import { nextChunk, openRequest, rawExchange, responseTo, startUpstream, until, type TestUpstream } from './support.ts';

const ohttp = { 'content-type': 'message/ohttp-chunked-req' };
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function relayTo(
  upstream: string,
  options: Partial<RelayOptions> = {},
): Promise<{ relay: Relay; access: RelayAccess[] }> {
  const access: RelayAccess[] = [];
  const relay = await startRelay({
    listen: { host: '127.0.0.1', port: 0 },
    upstream,
    observe: (record) => access.push(record),
    ...options,
    limits: { closeTimeoutMs: 200, ...options.limits },
  });
  cleanups.push(() => relay.close());
  return { relay, access };
}

async function upstreamWith(listener: Parameters<typeof startUpstream>[0]): Promise<TestUpstream> {
  const upstream = await startUpstream(listener);
  cleanups.push(() => upstream.close());
  return upstream;
}

const echo: Parameters<typeof startUpstream>[0] = (request, response) => {
  response.writeHead(200, {
    'content-type': 'message/ohttp-chunked-res',
    'set-cookie': 'id=1',
    etag: '"x"',
    server: 'enclave',
  });
  request.pipe(response);
};

async function problemOf(response: Response): Promise<{ status: number; code: string }> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body: unknown = await response.json();
  const error = FastnessError.fromProblem(body);
  expect(body).toMatchObject({ status: response.status, next: error?.next });
  return { status: response.status, code: error?.code ?? 'none' };
}

describe('what is forwarded', () => {
  it('carries bodies both ways and nothing that identifies the client', async () => {
    const upstream = await upstreamWith(echo);
    const { relay, access } = await relayTo(upstream.url);
    const body = new Uint8Array(300_000).fill(7);
    const response = await fetch(`${relay.url}/ohttp`, {
      method: 'POST',
      body,
      headers: {
        ...ohttp,
        'user-agent': 'browser 1',
        cookie: 'session=1',
        forwarded: 'for=192.0.2.1',
        'x-forwarded-for': '192.0.2.1',
        'accept-language': 'de-CH',
        referer: 'https://example.org/',
        authorization: 'Bearer abc',
        'x-anything': 'else',
      },
    });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(body);
    expect(upstream.seen[0]?.headers).toEqual({
      host: new URL(upstream.url).host,
      connection: 'close',
      'content-type': 'message/ohttp-chunked-req',
      'content-length': '300000',
    });
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-store',
      connection: 'keep-alive',
      'content-type': 'message/ohttp-chunked-res',
      date: expect.any(String),
      'keep-alive': expect.any(String),
      'transfer-encoding': 'chunked',
      'x-content-type-options': 'nosniff',
    });
    await until(() => access.length === 1);
    expect(access[0]).toMatchObject({
      path: '/ohttp',
      status: 200,
      outcome: 'forwarded',
      requestBytes: 300_000,
      responseBytes: 300_000,
    });
    expect(JSON.stringify(access)).not.toContain('127.0.0.1');
  });

  it('forwards the enclave’s refusals with their status, and GET /health', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(request.url === '/health' ? 200 : 422, {
        'content-type': 'application/problem+json',
        'retry-after': '7',
      });
      response.end('{}');
    });
    const { relay } = await relayTo(upstream.url);
    const refused = await fetch(`${relay.url}/attestation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: '{}',
    });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([422, '7']);
    expect(upstream.seen[0]?.headers['content-type']).toBe('application/json');
    expect((await fetch(`${relay.url}/health`)).status).toBe(200);
  });

  it('lets tokens flow: each chunk arrives before the next is made, in both directions at once', async () => {
    const upstream = await upstreamWith((request, response) => {
      response.writeHead(200, { 'content-type': 'message/ohttp-chunked-res' });
      response.flushHeaders();
      request.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`));
      request.on('end', () => response.end('.'));
    });
    const { relay } = await relayTo(upstream.url);
    const request = openRequest(`${relay.url}/ohttp`, ohttp);
    request.flushHeaders();
    const response = await responseTo(request);
    for (const word of ['one', 'two', 'three']) {
      request.write(word);
      expect(await nextChunk(response)).toBe(`<${word}>`);
    }
    request.end();
    expect(await nextChunk(response)).toBe('.');
  });

  it('holds the enclave back when the client reads slowly', async () => {
    let written = 0;
    let stalled = false;
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < 64 << 20) {
          written += chunk.length;
          if (!response.write(chunk)) {
            stalled = true;
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    });
    const { relay } = await relayTo(upstream.url);
    const request = openRequest(`${relay.url}/ohttp`, ohttp);
    request.end();
    const response = await responseTo(request);
    response.pause();
    await until(() => stalled);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What is on its way sits in the buffers of three sockets, not in the relay.
    expect(written).toBeLessThan(24 << 20);
    let received = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(64 << 20);
  });
});

describe('what is cut off', () => {
  it('aborts the enclave’s work when the client goes away', async () => {
    let aborted = false;
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(200);
      response.write('first');
      response.on('close', () => {
        aborted = !response.writableFinished;
      });
    });
    const { relay, access } = await relayTo(upstream.url);
    const request = openRequest(`${relay.url}/ohttp`, ohttp);
    request.end('x');
    const response = await responseTo(request);
    await once(response, 'data');
    request.destroy();
    await until(() => aborted && access.length === 1);
    expect(access[0]?.outcome).toBe('client-gone');
  });

  it('aborts the enclave’s read when the client goes away in the middle of its request', async () => {
    let aborted = false;
    const upstream = await upstreamWith((request) => {
      request.on('error', () => {
        aborted = true;
      });
      request.resume();
    });
    const { relay, access } = await relayTo(upstream.url);
    const request = openRequest(`${relay.url}/ohttp`, ohttp);
    request.on('error', () => {});
    request.write('half');
    await until(() => upstream.seen.length === 1);
    request.destroy();
    await until(() => aborted && access.length === 1);
    expect(access[0]).toMatchObject({ outcome: 'client-gone', status: 0 });
  });

  it('cuts the client’s answer when the enclave dies, so that it cannot pass for a whole one', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(200);
      response.write('half', () => response.destroy());
    });
    const { relay, access } = await relayTo(upstream.url);
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    await expect(response.text()).rejects.toThrow();
    await until(() => access.length === 1);
    expect(access[0]?.outcome).toBe('cut-off');
  });

  it('cuts an answer that outgrows the limit', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(200);
      for (let index = 0; index < 8; index += 1) response.write(Buffer.alloc(1024));
      response.end();
    });
    const { relay, access } = await relayTo(upstream.url, { limits: { responseBytes: 4096 } });
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    await expect(response.arrayBuffer()).rejects.toThrow();
    await until(() => access.length === 1);
    expect(access[0]?.outcome).toBe('cut-off');
  });

  it('answers in the enclave’s stead when it takes too long', async () => {
    const upstream = await upstreamWith((request) => request.resume());
    const { relay } = await relayTo(upstream.url, { limits: { responseTimeoutMs: 100 } });
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    expect(await problemOf(response)).toEqual({ status: 504, code: 'RELAY_UPSTREAM_TIMEOUT' });
  });

  it('ends an exchange that streams for longer than the limit', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const { relay, access } = await relayTo(upstream.url, { limits: { exchangeTimeoutMs: 300 } });
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    await expect(response.text()).rejects.toThrow();
    await until(() => access.length === 1);
    expect(access[0]?.outcome).toBe('cut-off');
  });
});

describe('what is refused', () => {
  it('other paths, other methods, queries', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url);
    for (const path of [
      '/',
      '/v1/models',
      '/ohttp?id=1',
      '/ohttp/',
      '/OHTTP',
      '//ohttp',
      '/health/../metrics',
      '/%6fhttp',
    ]) {
      const response = await fetch(`${relay.url}${path}`, { method: 'POST', headers: ohttp, body: 'x' });
      expect(await problemOf(response), path).toEqual({ status: 404, code: 'RELAY_ROUTE_UNKNOWN' });
    }
    const wrong = await fetch(`${relay.url}/ohttp`);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await problemOf(wrong)).toEqual({ status: 405, code: 'RELAY_METHOD_NOT_ALLOWED' });
    expect(upstream.seen).toHaveLength(0);
  });

  it('neither kind of OHTTP, but every other media type', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url);
    for (const type of ['message/ohttp-req', 'message/ohttp-chunked-req']) {
      const init = { method: 'POST', headers: { 'content-type': type }, body: 'x' };
      expect((await fetch(`${relay.url}/ohttp`, init)).status).toBe(200);
      const elsewhere = await fetch(`${relay.url}/attestation`, init);
      expect(await problemOf(elsewhere)).toEqual({ status: 415, code: 'RELAY_MEDIA_TYPE' });
    }
    expect(upstream.seen.map(({ headers }) => headers['content-type'])).toEqual([
      'message/ohttp-req',
      'message/ohttp-chunked-req',
    ]);
  });

  it('another media type or a content encoding', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url);
    for (const headers of [{ 'content-type': 'text/plain' }, { ...ohttp, 'content-encoding': 'gzip' }]) {
      const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers, body: 'x' });
      expect(await problemOf(response)).toEqual({ status: 415, code: 'RELAY_MEDIA_TYPE' });
    }
    expect(upstream.seen).toHaveLength(0);
  });

  it('a body over the limit, announced or not', async () => {
    const upstream = await upstreamWith((request) => request.resume());
    const { relay } = await relayTo(upstream.url, { limits: { requestBytes: 1000 } });
    const announced = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: new Uint8Array(1001) });
    expect(await problemOf(announced)).toEqual({ status: 413, code: 'RELAY_BODY_LIMIT' });
    expect(upstream.seen).toHaveLength(0);
    const request = openRequest(`${relay.url}/ohttp`, ohttp);
    request.write(Buffer.alloc(900));
    request.write(Buffer.alloc(900));
    const response = await responseTo(request);
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it('a body on a GET, which the enclave would read as a second request', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url);
    const inner = 'POST /v1/admin HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n';
    const head = 'GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n';
    const sized = await rawExchange(relay.url, `${head}content-length: ${inner.length}\r\n\r\n${inner}`);
    expect(sized).toMatch(/^HTTP\/1\.1 400 [^]*RELAY_REQUEST_INVALID/);
    const chunked = await rawExchange(
      relay.url,
      `${head}transfer-encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 400 [^]*RELAY_REQUEST_INVALID/);
    expect(upstream.seen).toHaveLength(0);
  });

  it('two lengths at once, and bytes that are not HTTP', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url);
    const both = 'POST /ohttp HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
    expect(await rawExchange(relay.url, both)).toMatch(/^HTTP\/1\.1 400 [^]*RELAY_REQUEST_INVALID/);
    expect(await rawExchange(relay.url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*RELAY_REQUEST_INVALID/);
    const large = `GET /health HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`;
    expect(await rawExchange(relay.url, large)).toMatch(/^HTTP\/1\.1 431 [^]*RELAY_HEADER_LIMIT/);
    expect(upstream.seen).toHaveLength(0);
  });

  it('a client that never finishes its headers', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } });
    expect(await rawExchange(relay.url, 'POST /ohttp HTTP/1.1\r\nhost: x\r\n')).toMatch(
      /^HTTP\/1\.1 408 [^]*RELAY_REQUEST_TIMEOUT/,
    );
  });

  it('more exchanges than it may forward at a time, and more connections of one address', async () => {
    const upstream = await upstreamWith((request) => request.resume());
    const { relay } = await relayTo(upstream.url, { limits: { exchanges: 1, connectionsPerAddress: 3 } });
    const first = openRequest(`${relay.url}/ohttp`, ohttp);
    first.on('error', () => {});
    first.end('x');
    await until(() => upstream.seen.length === 1);
    const second = await fetch(`${relay.url}/ohttp`, {
      method: 'POST',
      headers: { ...ohttp, connection: 'close' },
      body: 'x',
    });
    expect(second.headers.get('retry-after')).toBe('5');
    expect(await problemOf(second)).toEqual({ status: 429, code: 'RELAY_BUSY' });
    const { hostname, port } = new URL(relay.url);
    const idle = [connect(Number(port), hostname), connect(Number(port), hostname)];
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    await expect(fetch(`${relay.url}/health`)).rejects.toThrow('fetch failed');
    for (const socket of idle) socket.destroy();
    first.destroy();
  });

  it('an enclave that is not there', async () => {
    const upstream = await startUpstream(echo);
    await upstream.close();
    const { relay, access } = await relayTo(upstream.url);
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    expect(await problemOf(response)).toEqual({ status: 503, code: 'RELAY_UPSTREAM_UNAVAILABLE' });
    await until(() => access.length === 1);
    expect(access[0]?.outcome).toBe('RELAY_UPSTREAM_UNAVAILABLE');
  });

  it('an answer with a content encoding or an unusable media type', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(
        200,
        request.url === '/ohttp' ? { 'content-encoding': 'gzip' } : { 'content-type': 'x'.repeat(200) },
      );
      response.end('x');
    });
    const { relay } = await relayTo(upstream.url);
    const encoded = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    expect(await problemOf(encoded)).toEqual({ status: 502, code: 'RELAY_UPSTREAM_INVALID' });
    expect(await problemOf(await fetch(`${relay.url}/health`))).toEqual({
      status: 502,
      code: 'RELAY_UPSTREAM_INVALID',
    });
  });

  it('unusable configurations', async () => {
    const listen = { host: '127.0.0.1', port: 0 };
    for (const upstream of ['nonsense', 'ftp://x/', 'http://x/path', 'http://user@x/', 'http://x/?q=1']) {
      await expect(startRelay({ listen, upstream })).rejects.toMatchObject({ code: 'RELAY_CONFIG_INVALID' });
    }
    const limits = { requestBytes: -1 };
    await expect(startRelay({ listen, upstream: 'http://x', limits })).rejects.toMatchObject({
      code: 'RELAY_CONFIG_INVALID',
    });
    const { relay } = await relayTo('http://127.0.0.1:9');
    const port = Number(new URL(relay.url).port);
    await expect(startRelay({ listen: { ...listen, port }, upstream: 'http://x' })).rejects.toMatchObject({
      code: 'RELAY_LISTEN',
    });
  });
});

describe('browsers and recording', () => {
  it('answers preflight requests of allowed origins only', async () => {
    const upstream = await upstreamWith(echo);
    const { relay } = await relayTo(upstream.url, { allowedOrigins: ['https://console.example'] });
    const ask = (origin: string): Promise<Response> =>
      fetch(`${relay.url}/ohttp`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await ask('https://console.example');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://console.example',
    ]);
    const other = await ask('https://other.example');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    expect(await problemOf(other)).toEqual({ status: 405, code: 'RELAY_METHOD_NOT_ALLOWED' });
    expect(upstream.seen).toHaveLength(0);
  });

  it('records everything it saw, readable by its owner only, an exchange in one piece', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fastness-relay-'));
    cleanups.push(() => rm(directory, { recursive: true }));
    const recordPath = join(directory, 'seen.bin');
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      request.on('end', () => {
        response.write('answer in ');
        setTimeout(() => response.end('two pieces'), 20);
      });
    });
    const { relay } = await relayTo(upstream.url, { recordPath });
    const send = async (): Promise<void> => {
      const request = openRequest(`${relay.url}/ohttp`, { ...ohttp, 'user-agent': 'browser 1' });
      request.write('question in ');
      await new Promise((resolve) => setTimeout(resolve, 20));
      request.end('two pieces');
      const response = await responseTo(request);
      for await (const _ of response);
    };
    await Promise.all([send(), send()]);
    await relay.close();
    const text = await readFile(recordPath, 'utf8');
    expect(text.split('question in two pieces')).toHaveLength(3);
    expect(text.split('answer in two pieces')).toHaveLength(3);
    expect(text).toContain('browser 1');
    expect(text).toContain('127.0.0.1');
    expect((await stat(recordPath)).mode & 0o777).toBe(0o600);
  });

  it('finishes exchanges in progress before it closes', async () => {
    const upstream = await upstreamWith((request, response) => {
      request.resume();
      response.writeHead(200);
      response.write('a');
      setTimeout(() => response.end('b'), 150);
    });
    const { relay } = await relayTo(upstream.url, { limits: { closeTimeoutMs: 5000 } });
    const response = await fetch(`${relay.url}/ohttp`, { method: 'POST', headers: ohttp, body: 'x' });
    const closed = relay.close();
    expect(await response.text()).toBe('ab');
    await closed;
    await expect(fetch(`${relay.url}/health`)).rejects.toThrow();
  });
});
