import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { generateGatewayKeys, prepareSeal, sealRequest } from '../src/index.ts';
import { readAll, streamOf, streamFrom } from './support/bytes.ts';
import { exchange, newGateway, samplePost, sealedFrames } from './support/exchange.ts';
import { expectCode, failureOf } from './support/errors.ts';

async function sealedRequest() {
  const gateway = await newGateway();
  const sealed = await sealRequest({
    keyConfig: gateway.keys.keyConfig,
    request: { ...samplePost, body: new Uint8Array(40_000) },
  });
  return { gateway, bytes: await readAll(sealed.body) };
}

/** Offset of the first chunk: header, X-Wing's encapsulated secret. */
const firstChunk = 7 + 1120;
const fullChunk = 4 + 16_384 + 16;

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

async function openWhole(gateway: Awaited<ReturnType<typeof newGateway>>, bytes: Uint8Array) {
  const opened = await gateway.open(streamOf(bytes));
  return readAll(opened.request.body);
}

describe('the gateway refuses a request', () => {
  it('to a key it does not hold', async () => {
    const { gateway, bytes } = await sealedRequest();
    const changed = bytes.slice();
    changed[0] = ((bytes[0] ?? 0) + 100) % 256;
    await expectCode(() => openWhole(gateway, changed), 'CHANNEL_KEY_UNKNOWN');
  });

  it('with algorithms it did not offer', async () => {
    const { gateway, bytes } = await sealedRequest();
    for (const at of [2, 4, 6]) await expectCode(() => openWhole(gateway, flip(bytes, at)), 'CHANNEL_KEY_UNKNOWN');
  });

  it('to keys that were rotated away', async () => {
    const { gateway, bytes } = await sealedRequest();
    gateway.rotate(await generateGatewayKeys({ previous: gateway.keys }));
    await expectCode(() => openWhole(gateway, bytes), 'CHANNEL_KEY_UNKNOWN');
  });

  it('to a key of the same id that is another', async () => {
    const { gateway, bytes } = await sealedRequest();
    const other = await newGateway();
    const changed = bytes.slice();
    changed[0] = other.keys.keyIds[0] ?? 0;
    await expectCode(() => openWhole(other, changed), 'CHANNEL_REQUEST_UNOPENABLE');
    expect(gateway.keys.keyIds).toHaveLength(2);
  });

  it('whose encapsulated secret or first chunk was changed', async () => {
    const { gateway, bytes } = await sealedRequest();
    for (const at of [7, firstChunk - 1, firstChunk + 4, firstChunk + 1000]) {
      await expectCode(() => openWhole(gateway, flip(bytes, at)), 'CHANNEL_REQUEST_UNOPENABLE');
    }
  });

  it('with a changed later chunk', async () => {
    const { gateway, bytes } = await sealedRequest();
    await expectCode(() => openWhole(gateway, flip(bytes, firstChunk + fullChunk + 100)), 'CHANNEL_CHUNK_TAG');
  });

  it('with chunks in another order', async () => {
    const { gateway, bytes } = await sealedRequest();
    const second = firstChunk + fullChunk;
    const third = second + fullChunk;
    const swapped = concatBytes(
      bytes.subarray(0, second),
      bytes.subarray(third, third + fullChunk),
      bytes.subarray(second, third),
      bytes.subarray(third + fullChunk),
    );
    await expectCode(() => openWhole(gateway, swapped), 'CHANNEL_CHUNK_TAG');
  });

  it('that was cut between chunks, within one, or before its first', async () => {
    const { bytes } = await sealedRequest();
    for (const at of [3, 500, firstChunk, firstChunk + 100, firstChunk + fullChunk, bytes.length - 20_000]) {
      const gateway = await newGateway();
      const { bytes: fresh } = await resealed(gateway);
      await expectCode(() => openWhole(gateway, fresh.subarray(0, at)), 'CHANNEL_TRUNCATED');
    }
  });

  it('with a chunk that is too short, too long, or has a length in a longer form', async () => {
    const { gateway, bytes } = await sealedRequest();
    const head = bytes.subarray(0, firstChunk);
    const short = concatBytes(head, Uint8Array.of(15), new Uint8Array(15));
    const long = concatBytes(head, Uint8Array.of(0x80, 0, 0x40, 0x11), new Uint8Array(16_401));
    const wide = concatBytes(head, Uint8Array.of(0x40, 16), new Uint8Array(16));
    const final = concatBytes(head, Uint8Array.of(0), new Uint8Array(16_401));
    for (const changed of [short, long, wide, final]) {
      await expectCode(() => openWhole(gateway, changed), 'CHANNEL_CHUNK_SIZE');
    }
  });

  it('that it has answered before, even when both arrive at once', async () => {
    const { gateway, bytes } = await sealedRequest();
    const results = await Promise.allSettled([openWhole(gateway, bytes), openWhole(gateway, bytes)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await expectCode(() => openWhole(gateway, bytes), 'CHANNEL_REPLAYED');
  });

  it('when its replay cache is full, until the keys are rotated', async () => {
    const gateway = await newGateway({ capacity: 1 });
    await exchange(gateway);
    await expectCode(() => exchange(gateway), 'CHANNEL_REPLAY_CACHE_FULL');
    gateway.rotate(await generateGatewayKeys({ previous: gateway.keys }));
    await exchange(gateway);
  });

  it('does not remember what never authenticated', async () => {
    const gateway = await newGateway({ capacity: 1 });
    const { bytes } = await resealed(gateway);
    await expectCode(() => openWhole(gateway, flip(bytes, firstChunk + 50)), 'CHANNEL_REQUEST_UNOPENABLE');
    expect(await openWhole(gateway, bytes)).toHaveLength(40_000);
  });

  it('that is larger than the limit', async () => {
    const gateway = await newGateway({ limits: { requestBytes: 30_000 } });
    const { bytes } = await resealed(gateway);
    await expectCode(() => openWhole(gateway, bytes), 'CHANNEL_REQUEST_TOO_LARGE');
  });

  it('in more chunks than the limit, as each costs an operation whatever it holds', async () => {
    const gateway = await newGateway({ limits: { requestChunks: 4 } });
    const { bytes } = await resealed(gateway);
    expect(await openWhole(gateway, bytes)).toHaveLength(40_000);
    const fewer = await newGateway({ limits: { requestChunks: 3 } });
    const { bytes: again } = await resealed(fewer);
    await expectCode(() => openWhole(fewer, again), 'CHANNEL_REQUEST_TOO_LARGE');
  });

  it('with more or longer fields than the limit', async () => {
    const gateway = await newGateway({ limits: { fields: 2, fieldBytes: 100, control: 60 } });
    await expectCode(
      () => exchange(gateway, { ...samplePost, headers: { a: '1', b: '2', c: '3' } }),
      'CHANNEL_HTTP_LIMIT',
    );
    await expectCode(() => exchange(gateway, { ...samplePost, headers: { a: 'x'.repeat(101) } }), 'CHANNEL_HTTP_LIMIT');
    await expectCode(() => exchange(gateway, { ...samplePost, path: `/${'x'.repeat(80)}` }), 'CHANNEL_HTTP_LIMIT');
  });

  it('whose transport failed, as cut', async () => {
    const { gateway, bytes } = await sealedRequest();
    let sent = false;
    const failing = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (sent) controller.error(new TypeError('socket hang up'));
        else controller.enqueue(bytes.subarray(0, firstChunk + fullChunk + 10));
        sent = true;
      },
    });
    const opened = await gateway.open(failing);
    const failure = await failureOf(() => readAll(opened.request.body));
    expect(failure.code).toBe('CHANNEL_TRUNCATED');
    await expectCode(() => opened.requestDigest, 'CHANNEL_TRUNCATED');
  });

  async function resealed(gateway: Awaited<ReturnType<typeof newGateway>>) {
    const request = { ...samplePost, body: new Uint8Array(40_000) };
    const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request });
    return { bytes: await readAll(sealed.body) };
  }
});

describe('a request opened before a rotation', () => {
  it('is answered after it', async () => {
    const gateway = await newGateway();
    const { sealed, opened } = await exchange(gateway);
    gateway.rotate(await generateGatewayKeys({ previous: gateway.keys }));
    const response = await sealed.openResponse(opened.sealResponse({ status: 200, body: utf8Encode('still here') }));
    expect(await readAll(response.body)).toHaveLength(10);
  });
});

describe('the client refuses a response', () => {
  const parts = () => streamFrom(Array.from({ length: 8 }, () => new Uint8Array(16_000)));

  async function frames() {
    const { sealed, opened } = await exchange(await newGateway({ chunkInterval: 0 }));
    return { sealed, frames: await sealedFrames(opened, { status: 200, body: parts() }) };
  }

  it('to another request', async () => {
    const one = await frames();
    const other = await frames();
    await expectCode(() => other.sealed.openResponse(streamOf(...one.frames)), 'CHANNEL_RESPONSE_MISMATCH');
  });

  it('with a changed nonce or first chunk', async () => {
    const { sealed, frames: sent } = await frames();
    const bytes = concatBytes(...sent);
    for (const at of [0, 31, 40]) {
      await expectCode(() => sealed.openResponse(streamOf(flip(bytes, at))), 'CHANNEL_RESPONSE_MISMATCH');
    }
  });

  it.each([
    [
      'changed',
      (sent: Uint8Array[]) => [...sent.slice(0, 2), flip(sent[2] ?? new Uint8Array(0), 50), ...sent.slice(3)],
      'CHANNEL_CHUNK_TAG',
    ],
    ['reordered', ([a, b, c, ...rest]: Uint8Array[]) => [a, c, b, ...rest], 'CHANNEL_CHUNK_TAG'],
    ['repeated', ([a, b, ...rest]: Uint8Array[]) => [a, b, b, ...rest], 'CHANNEL_CHUNK_TAG'],
    ['left out', ([a, b, , ...rest]: Uint8Array[]) => [a, b, ...rest], 'CHANNEL_CHUNK_TAG'],
    ['cut after a chunk', (sent: Uint8Array[]) => sent.slice(0, -1), 'CHANNEL_TRUNCATED'],
    [
      'cut within a chunk',
      (sent: Uint8Array[]) => [...sent.slice(0, 2), sent[2]?.subarray(0, 99)],
      'CHANNEL_TRUNCATED',
    ],
    [
      'cut within the final chunk',
      (sent: Uint8Array[]) => [...sent.slice(0, -1), sent.at(-1)?.subarray(0, 9)],
      'CHANNEL_TRUNCATED',
    ],
    ['followed by more', (sent: Uint8Array[]) => [...sent, Uint8Array.of(1)], 'CHANNEL_CHUNK_TAG'],
    ['followed by much more', (sent: Uint8Array[]) => [...sent, new Uint8Array(17_000)], 'CHANNEL_CHUNK_SIZE'],
  ] as const)('with a chunk %s, as an error of the body', async (_, change, code) => {
    const { sealed, frames: sent } = await frames();
    expect(sent.length).toBeGreaterThan(4);
    const changed = change(sent).filter((frame) => frame !== undefined);
    const opened = await sealed.openResponse(streamOf(...changed));
    await expectCode(() => readAll(opened.body), code);
    await expectCode(() => opened.trailers, code);
    await expectCode(() => opened.responseDigest, code);
  });

  it('that ends before its nonce does', async () => {
    const { sealed } = await frames();
    await expectCode(() => sealed.openResponse(streamOf(new Uint8Array(31))), 'CHANNEL_TRUNCATED');
  });

  it('that is larger than it accepts', async () => {
    const { sealed, frames: sent } = await frames();
    const opened = await sealed.openResponse(streamOf(...sent), { maxResponseBytes: 20_000 });
    await expectCode(() => readAll(opened.body), 'CHANNEL_RESPONSE_TOO_LARGE');
  });

  it('whose producer failed, as cut', async () => {
    const { sealed, opened } = await exchange(await newGateway());
    async function* failing() {
      yield utf8Encode('half an');
      await Promise.resolve();
      throw new Error('the engine died');
    }
    const stream = opened.sealResponse({ status: 200, body: streamFrom(failing()) });
    const response = await sealed.openResponse(stream);
    await expectCode(() => readAll(response.body), 'CHANNEL_TRUNCATED');
  });

  it('that its own check at the end refuses', async () => {
    const { sealed, frames: sent } = await frames();
    const opened = await sealed.openResponse(streamOf(...sent), {
      onEnd: () => Promise.reject(new Error('refused')),
    });
    await expect(readAll(opened.body)).rejects.toThrow('refused');
  });
});

describe('the sender refuses', () => {
  it('a configuration that offers only X25519, unless allowed', async () => {
    const { keys } = await newGateway();
    const first = 2 + (keys.keyConfig[0] ?? 0) * 256 + (keys.keyConfig[1] ?? 0);
    const keyConfig = keys.keyConfig.subarray(first);
    await expectCode(() => sealRequest({ keyConfig, request: samplePost }), 'CHANNEL_SUITE_UNSUPPORTED');
  });

  it('a prepared key agreement for a second request', async () => {
    const gateway = await newGateway();
    const prepared = await prepareSeal({ keyConfig: gateway.keys.keyConfig });
    const sealed = await sealRequest({ prepared, request: samplePost });
    expect((await gateway.open(sealed.body)).kem).toBe(prepared.kem);
    await expectCode(() => sealRequest({ prepared, request: samplePost }), 'CHANNEL_PREPARED_USED');
  });

  it('a public key that is none', async () => {
    const { keys } = await newGateway();
    const keyConfig = keys.keyConfig.slice().fill(0xff, 5, 5 + 1216);
    await expectCode(() => sealRequest({ keyConfig, request: samplePost }), 'CHANNEL_KEY_CONFIG');
  });

  it('a body that is not bytes', async () => {
    const gateway = await newGateway();
    const body: ReadableStream = streamFrom(['text']);
    const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request: { ...samplePost, body } });
    await expectCode(() => readAll(sealed.body), 'CHANNEL_BODY_TYPE');
  });

  it.each([
    [{ method: 'GE T' }, 'CHANNEL_HTTP_CONTROL'],
    [{ method: 'CONNECT' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: 'v1/models' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: '/v1/../admin' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: '/v1/%2e%2e/admin' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: '/v1//models' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: '/v1/models#x' }, 'CHANNEL_HTTP_CONTROL'],
    [{ path: '/v1/mod els' }, 'CHANNEL_HTTP_CONTROL'],
    [{ authority: 'a/b' }, 'CHANNEL_HTTP_CONTROL'],
  ])('control data %o', async (part, code) => {
    const { keys } = await newGateway();
    await expectCode(() => sealRequest({ keyConfig: keys.keyConfig, request: { ...samplePost, ...part } }), code);
  });

  it('a second response, but not one after a response that could not be sealed', async () => {
    const { opened } = await exchange(await newGateway());
    await expectCode(() => opened.sealResponse({ status: 999 }), 'CHANNEL_HTTP_CONTROL');
    opened.sealResponse({ status: 200 });
    await expectCode(() => opened.sealResponse({ status: 200 }), 'CHANNEL_ALREADY_ANSWERED');
  });

  it('an informational response', async () => {
    const { opened } = await exchange(await newGateway());
    await expectCode(() => opened.sealResponse({ status: 103 }), 'CHANNEL_HTTP_INFORMATIONAL');
    await expectCode(() => opened.sealResponse({ status: 600 }), 'CHANNEL_HTTP_CONTROL');
  });
});
