import { connect as connectTcp } from 'node:net';
import { pullStream, streamSource } from '@fastness/channel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen, type Listener } from '../src/serve/node-http.ts';
import { whenClosed } from '../src/serve/watched-stream.ts';
import { codeOfAsync } from './codes.ts';

describe('the HTTP server', () => {
  let server: Listener;
  let answer: (request: Request) => Promise<Response>;
  beforeAll(async () => {
    server = await listen((request) => answer(request), { host: '127.0.0.1', port: 0 });
  });
  afterAll(() => server.close(0));

  it('hands on method, path, headers and body, and streams both ways', async () => {
    answer = async (request) =>
      new Response(request.body, {
        status: 201,
        headers: { 'x-seen': `${request.method} ${new URL(request.url).pathname} ${request.headers.get('x-mine')}` },
      });
    const body = 'x'.repeat(3_000_000);
    const response = await fetch(`${server.url}/a/b`, { method: 'POST', headers: { 'x-mine': '1' }, body });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-seen')).toBe('POST /a/b 1');
    expect(await response.text()).toBe(body);
  });

  it('cuts a response that fails, and says nothing about why', async () => {
    answer = async () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            controller.enqueue(new TextEncoder().encode('start'));
            controller.error(new Error('a secret reason'));
          },
        }),
      );
    const raw = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', () => resolve(text));
      socket.on('close', () => resolve(text));
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    });
    expect(raw).not.toContain('secret');
    expect(raw).not.toContain('\r\n0\r\n');
  });

  it('answers before a body that nobody reads, and keeps the connection usable', async () => {
    answer = async () => new Response('no', { status: 413 });
    for (let round = 0; round < 3; round++) {
      const response = await fetch(server.url, { method: 'POST', body: 'x'.repeat(100_000) });
      expect(response.status).toBe(413);
      expect(await response.text()).toBe('no');
    }
  });

  it('tells the handler that the client is gone', async () => {
    const gone = Promise.withResolvers<string>();
    answer = async (request) => {
      request.signal.addEventListener('abort', () => gone.resolve('signal'));
      return new Response(
        new ReadableStream<Uint8Array>({
          start: (stream) => stream.enqueue(new Uint8Array(1)),
          cancel: () => gone.resolve('cancel'),
        }),
      );
    };
    const controller = new AbortController();
    await fetch(server.url, { signal: controller.signal });
    controller.abort();
    expect(await gone.promise).toMatch(/signal|cancel/u);
  });

  it('drops an answer whose client went away before it was there', async () => {
    const dropped = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    answer = async (request) => {
      asked.resolve();
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      return new Response(new ReadableStream<Uint8Array>({ cancel: () => dropped.resolve() }, { highWaterMark: 0 }));
    };
    const controller = new AbortController();
    const response = fetch(server.url, { signal: controller.signal });
    await asked.promise;
    controller.abort();
    await expect(response).rejects.toThrow(/abort/u);
    await dropped.promise;
  });

  it('stops a producer when the client reads too slowly, and goes on when it reads again', async () => {
    let produced = 0;
    answer = async () =>
      new Response(
        new ReadableStream<Uint8Array>(
          {
            pull(controller) {
              produced += 65_536;
              controller.enqueue(new Uint8Array(65_536));
              if (produced >= 64 * 2 ** 20) controller.close();
            },
          },
          { highWaterMark: 0 },
        ),
      );
    const response = await fetch(server.url);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(produced).toBeLessThan(64 * 2 ** 20);
    expect((await response.arrayBuffer()).byteLength).toBe(64 * 2 ** 20);
  });

  it('gives up on a reader that stops in the middle', async () => {
    const dropped = Promise.withResolvers<unknown>();
    const ended: string[] = [];
    const endless = new ReadableStream<Uint8Array>(
      { pull: (controller) => controller.enqueue(new Uint8Array(65_536)), cancel: dropped.resolve },
      { highWaterMark: 0 },
    );
    answer = async () => new Response(pullStream(whenClosed(streamSource(endless), () => ended.push('done'), 300)));
    const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await dropped.promise).toMatchObject({ code: 'ENCLAVE_TIME_LIMIT' });
    expect(ended).toEqual(['done']);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await closed;
  });

  it('ends the connection of who goes on sending a request that was refused', async () => {
    answer = async () => new Response('no', { status: 429 });
    const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n');
    await closed;
    expect(text).toMatch(/^HTTP\/1\.1 429/u);
  });

  it('ends connections that take long over their headers', async () => {
    const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('POST / HTTP/1.1\r\nhost: x\r\n');
    socket.resume();
    await closed;
  });

  it('survives requests that are none', async () => {
    answer = async () => new Response('fine');
    for (const text of [
      'nonsense\r\n\r\n',
      'GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1', () => socket.end(text));
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
      });
    }
    expect(await (await fetch(server.url)).text()).toBe('fine');
  });

  it('says so when the port is taken', async () => {
    const port = Number(new URL(server.url).port);
    expect(await codeOfAsync(listen(answer, { host: '127.0.0.1', port }))).toBe('ENCLAVE_LISTEN');
  });
});
