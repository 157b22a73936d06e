import { concatBytes, equalBytes, toHex, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { requestDigestOf, responseDigestOf, sealRequest, type GatewayResponse } from '../src/index.ts';
import { readAll, seededRandom, randomBytesFrom, streamOf, streamFrom } from './support/bytes.ts';
import { exchange, newGateway, samplePost } from './support/exchange.ts';

async function answer(response: GatewayResponse, request = samplePost) {
  const gateway = await newGateway({ chunkInterval: 0 });
  const { sealed, opened } = await exchange(gateway, request);
  const result = await sealed.openResponse(opened.sealResponse(response));
  return { result, body: await readAll(result.body) };
}

describe('a request through the channel', () => {
  it('arrives with method, path, fields and body', async () => {
    const { opened, requestBody, sealed } = await exchange(await newGateway());
    expect(opened.request.method).toBe('POST');
    expect(opened.request.path).toBe('/v1/chat/completions?trace=1');
    expect(opened.request.authority).toBe('enclave');
    expect([...opened.request.headers]).toEqual([
      ['authorization', 'Bearer token'],
      ['content-type', 'application/json'],
    ]);
    expect(utf8Decode(requestBody)).toBe('{"messages":[]}');
    expect(sealed.kem).toBe(0x647a);
    expect(opened.kem).toBe(0x647a);
  });

  it('has one digest on both ends, that of its parts', async () => {
    const { opened, sealed, requestBody } = await exchange(await newGateway());
    const expected = await requestDigestOf({ ...samplePost, body: requestBody });
    expect(toHex(await opened.requestDigest)).toBe(toHex(expected));
    expect(toHex(await sealed.requestDigest)).toBe(toHex(expected));
  });

  it('takes a Request, and leaves out its host and the fields of its connection', async () => {
    const gateway = await newGateway();
    const request = new Request('https://relay.example/v1/models?a=b', {
      headers: { 'x-a': '1', connection: 'close' },
    });
    const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request });
    const opened = await gateway.open(sealed.body);
    expect(opened.request).toMatchObject({ method: 'GET', path: '/v1/models?a=b', authority: 'enclave' });
    expect([...opened.request.headers]).toEqual([['x-a', '1']]);
    expect(await readAll(opened.request.body)).toHaveLength(0);
  });

  it.each([0, 1, 16_383, 16_384, 65_536, 200_000])('carries a streamed body of %i bytes', async (length) => {
    const body = randomBytesFrom(seededRandom(length), length);
    const parts = [body.subarray(0, 7), body.subarray(7, 40_000), body.subarray(40_000)];
    const { requestBody, opened, sealed } = await exchange(await newGateway(), {
      ...samplePost,
      body: streamOf(...parts),
    });
    expect(equalBytes(requestBody, body)).toBe(true);
    expect(toHex(await opened.requestDigest)).toBe(toHex(await sealed.requestDigest));
    expect(toHex(await opened.requestDigest)).toBe(toHex(await requestDigestOf({ ...samplePost, body })));
  });

  it('arrives through X25519 where the caller allows it and nothing better is on offer', async () => {
    const gateway = await newGateway();
    // The list without its first entry: what an old gateway would offer.
    const { keyConfig } = gateway.keys;
    const first = 2 + (keyConfig[0] ?? 0) * 256 + (keyConfig[1] ?? 0);
    const sealed = await sealRequest({ keyConfig: keyConfig.subarray(first), request: samplePost, allowX25519: true });
    const opened = await gateway.open(sealed.body);
    expect(opened.kem).toBe(0x0020);
    await readAll(opened.request.body);
    const response = await sealed.openResponse(opened.sealResponse({ status: 204 }));
    expect(response.status).toBe(204);
  });
});

describe('a response through the channel', () => {
  it('arrives with status, fields, body and trailers, and one digest on both ends', async () => {
    let sentDigest = '';
    const { result, body } = await answer({
      status: 201,
      headers: { 'content-type': 'text/plain' },
      body: utf8Encode('created'),
      trailers: ({ responseDigest }) => {
        sentDigest = toHex(responseDigest);
        return { 'fastness-receipt': 'abc' };
      },
    });
    expect(result.status).toBe(201);
    expect(result.headers.get('content-type')).toBe('text/plain');
    expect(utf8Decode(body)).toBe('created');
    expect((await result.trailers).get('fastness-receipt')).toBe('abc');
    expect(toHex(await result.responseDigest)).toBe(sentDigest);
    expect(sentDigest).toBe(toHex(await responseDigestOf({ status: 201, body })));
  });

  it.each([1, 65_535, 65_536, 65_537, 300_000])(
    'carries a body of %i bytes in chunks within the limit',
    async (length) => {
      const body = randomBytesFrom(seededRandom(length), length);
      const gateway = await newGateway();
      const { sealed, opened } = await exchange(gateway);
      const frames: Uint8Array[] = [];
      for await (const frame of opened.sealResponse({ status: 200, body })) frames.push(frame);
      for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(16_384 + 16 + 4 + 32);
      const result = await sealed.openResponse(streamOf(...frames));
      expect(equalBytes(await readAll(result.body), body)).toBe(true);
      expect(toHex(await result.responseDigest)).toBe(toHex(await responseDigestOf({ status: 200, body })));
    },
  );

  it('does not depend on how the transport cuts it', async () => {
    const random = seededRandom(7);
    const body = randomBytesFrom(random, 50_000);
    const { sealed, opened } = await exchange(await newGateway());
    const whole = await readAll(
      opened.sealResponse({ status: 200, body: streamOf(body.subarray(0, 100), body.subarray(100)) }),
    );
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length;) {
      const length = 1 + Math.floor(random() * 3000);
      pieces.push(whole.subarray(at, at + length));
      at += length;
    }
    const result = await sealed.openResponse(streamOf(...pieces));
    expect(equalBytes(await readAll(result.body), body)).toBe(true);
  });

  it('streams: the first part arrives before the last one was made', async () => {
    const { sealed, opened } = await exchange(await newGateway());
    let more: (() => void) | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(utf8Encode('first'));
        more = () => {
          controller.enqueue(utf8Encode('second'));
          controller.close();
        };
      },
    });
    const result = await sealed.openResponse(opened.sealResponse({ status: 200, body }));
    const reader = result.body.getReader();
    expect(utf8Decode((await reader.read()).value ?? new Uint8Array(0))).toBe('first');
    more?.();
    expect(utf8Decode((await reader.read()).value ?? new Uint8Array(0))).toBe('second');
    expect((await reader.read()).done).toBe(true);
  });

  it('lets parts that follow each other closely share a chunk, and never holds back the last', async () => {
    const gateway = await newGateway({ chunkInterval: 600_000 });
    const { sealed, opened } = await exchange(gateway);
    const parts = Array.from({ length: 40 }, (_, index) => utf8Encode(`part ${index};`));
    async function* made() {
      for (const part of parts) {
        await new Promise((resolve) => {
          setTimeout(resolve, 1);
        });
        yield part;
      }
    }
    const frames: Uint8Array[] = [];
    for await (const frame of opened.sealResponse({ status: 200, body: streamFrom(made()) })) frames.push(frame);
    expect(frames.length).toBeLessThan(10);
    const result = await sealed.openResponse(streamOf(...frames));
    expect(utf8Decode(await readAll(result.body))).toBe(utf8Decode(concatBytes(...parts)));
  });

  it('holds its producer back while nobody reads', async () => {
    const { opened } = await exchange(await newGateway());
    let made = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          made += 1;
          controller.enqueue(new Uint8Array(16_384));
          if (made === 1000) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const reader = opened.sealResponse({ status: 200, body }).getReader();
    await reader.read();
    await new Promise((resolve) => {
      setTimeout(resolve, 30);
    });
    expect(made).toBeLessThan(20);
    await reader.cancel();
  });

  it('tells its producer when the reader goes away', async () => {
    const { opened } = await exchange(await newGateway());
    const cancelled = Promise.withResolvers<unknown>();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(utf8Encode('x')),
      cancel: (reason) => cancelled.resolve(reason),
    });
    const reader = opened.sealResponse({ status: 200, body }).getReader();
    await reader.read();
    await reader.cancel('gone');
    expect(await cancelled.promise).toBe('gone');
  });
});
