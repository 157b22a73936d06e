import { concatBytes, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  createGateway,
  createReplayCache,
  generateGatewayKeys,
  outerTypesOf,
  paddedLength,
  protocolOfType,
  sealRequest,
  weaknessesOf,
  type BinaryRequest,
  type OhttpProtocol,
  type Gateway,
  type GatewayLimits,
} from '../src/index.ts';
import { readAll, streamFrom, streamOf } from './support/bytes.ts';
import { expectCode } from './support/errors.ts';
import { samplePost } from './support/exchange.ts';

const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);

async function gatewayOf(
  protocols: readonly OhttpProtocol[] = ['chunked-ohttp', 'ohttp'],
  limits: Partial<GatewayLimits> = {},
): Promise<Gateway> {
  return createGateway({ keys: await generateGatewayKeys(), replayCache: createReplayCache(), protocols, limits });
}

async function seal(gateway: Gateway, protocol: OhttpProtocol = 'ohttp', request: BinaryRequest = samplePost) {
  const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, protocol, request });
  return { sealed, bytes: await readAll(sealed.body) };
}

/** A whole exchange; `body` is what the gateway answers. */
async function exchangePlain(body: ReadableStream<Uint8Array> | Uint8Array, request: BinaryRequest = samplePost) {
  const gateway = await gatewayOf();
  const { sealed, bytes } = await seal(gateway, 'ohttp', request);
  const opened = await gateway.open(streamOf(bytes), 'ohttp');
  const received = await readAll(opened.request.body);
  const trailers = (): HeadersInit => ({ 'fastness-receipt': 'a receipt' });
  const answer = await readAll(opened.sealResponse({ status: 201, headers: { 'x-a': 'b' }, body, trailers }));
  return { sealed, bytes, opened, received, answer };
}

describe('OHTTP in one piece', () => {
  it('carries requests, answers, their digests and trailers as the chunked form does', async () => {
    const body = streamFrom(Array.from({ length: 40 }, (_, index) => new Uint8Array(1000).fill(index)));
    const { sealed, opened, received, answer } = await exchangePlain(body, {
      ...samplePost,
      body: streamFrom([new Uint8Array(30_000), utf8Encode('end')]),
    });
    expect(opened).toMatchObject({
      protocol: 'ohttp',
      kem: 0x647a,
      request: { method: 'POST', path: samplePost.path },
    });
    expect(received).toHaveLength(30_003);
    expect(await opened.requestDigest).toEqual(await sealed.requestDigest);
    const response = await sealed.openResponse(streamOf(answer));
    expect(response).toMatchObject({ status: 201 });
    expect(await readAll(response.body)).toHaveLength(40_000);
    expect((await response.trailers).get('fastness-receipt')).toBe('a receipt');
  });

  it('shows of both nothing but their buckets', async () => {
    const around = 7 + 1120 + 16;
    for (const length of [1, 300, 5000]) {
      const { bytes, answer } = await exchangePlain(new Uint8Array(length), {
        ...samplePost,
        body: new Uint8Array(length),
      });
      expect(paddedLength(bytes.length - around)).toBe(bytes.length - around);
      expect(paddedLength(answer.length - 32 - 16)).toBe(answer.length - 32 - 16);
    }
  });

  it('gives out nothing of an answer that was cut, changed, lengthened or sealed for another request', async () => {
    const { sealed, answer } = await exchangePlain(new Uint8Array(40_000));
    const other = await exchangePlain(new Uint8Array(10));
    for (const changed of [
      answer.subarray(0, -1),
      answer.subarray(0, 60),
      flip(answer, 0),
      flip(answer, 20_000),
      flip(answer, answer.length - 1),
      concatBytes(answer, Uint8Array.of(0)),
      other.answer,
    ]) {
      await expectCode(() => sealed.openResponse(streamOf(changed)), 'CHANNEL_RESPONSE_MISMATCH');
    }
    await expectCode(() => sealed.openResponse(streamOf(answer.subarray(0, 40))), 'CHANNEL_TRUNCATED');
    await expectCode(
      () => sealed.openResponse(streamOf(answer), { maxResponseBytes: 20_000 }),
      'CHANNEL_RESPONSE_TOO_LARGE',
    );
  });

  it('opens no request that was cut, changed or lengthened, and none twice', async () => {
    const gateway = await gatewayOf();
    const { bytes } = await seal(gateway);
    for (const changed of [
      bytes.subarray(0, -1),
      flip(bytes, bytes.length - 1),
      concatBytes(bytes, Uint8Array.of(0)),
    ]) {
      await expectCode(() => gateway.open(streamOf(changed), 'ohttp'), 'CHANNEL_REQUEST_UNOPENABLE');
    }
    await expectCode(() => gateway.open(streamOf(bytes.subarray(0, 1130)), 'ohttp'), 'CHANNEL_TRUNCATED');
    await gateway.open(streamOf(bytes), 'ohttp');
    await expectCode(() => gateway.open(streamOf(bytes), 'ohttp'), 'CHANNEL_REPLAYED');
  });

  it('has a limit on a request, whose bytes are all held', async () => {
    const gateway = await gatewayOf(undefined, { requestBytes: 20_000 });
    const { bytes } = await seal(gateway, 'ohttp', { ...samplePost, body: new Uint8Array(20_000) });
    await expectCode(() => gateway.open(streamOf(bytes), 'ohttp'), 'CHANNEL_REQUEST_TOO_LARGE');
  });
});

describe('the protocols stay apart', () => {
  it('a gateway answers none that it was not told to', async () => {
    const chunkedOnly = createGateway({ keys: await generateGatewayKeys(), replayCache: createReplayCache() });
    expect([...chunkedOnly.protocols]).toEqual(['chunked-ohttp']);
    const { bytes } = await seal(chunkedOnly);
    await expectCode(() => chunkedOnly.open(streamOf(bytes), 'ohttp'), 'CHANNEL_PROTOCOL_REFUSED');
    const plainOnly = await gatewayOf(['ohttp']);
    const chunked = await seal(plainOnly, 'chunked-ohttp');
    await expectCode(() => plainOnly.open(streamOf(chunked.bytes)), 'CHANNEL_PROTOCOL_REFUSED');
  });

  it('a request of one does not open as the other, whatever its media type is changed to', async () => {
    const gateway = await gatewayOf();
    const chunked = await seal(gateway, 'chunked-ohttp');
    await expectCode(() => gateway.open(streamOf(chunked.bytes), 'ohttp'), 'CHANNEL_REQUEST_UNOPENABLE');
    // As one final chunk, the only shape in which the chunked form would read it.
    const plain = await seal(gateway);
    const start = 7 + 1120;
    const asChunk = concatBytes(plain.bytes.subarray(0, start), Uint8Array.of(0), plain.bytes.subarray(start));
    await expectCode(() => gateway.open(streamOf(asChunk)), 'CHANNEL_REQUEST_UNOPENABLE');
    // Neither was remembered: nothing of them opened.
    await gateway.open(streamOf(chunked.bytes));
    await gateway.open(streamOf(plain.bytes), 'ohttp');
  });

  it('an answer of one does not open as the other', async () => {
    const { sealed, answer } = await exchangePlain(new Uint8Array(10));
    const gateway = await gatewayOf();
    const chunked = await seal(gateway, 'chunked-ohttp');
    const opened = await gateway.open(streamOf(chunked.bytes));
    const asChunk = concatBytes(answer.subarray(0, 32), Uint8Array.of(0), answer.subarray(32));
    await expectCode(() => chunked.sealed.openResponse(streamOf(asChunk)), 'CHANNEL_RESPONSE_MISMATCH');
    const chunkedAnswer = await readAll(opened.sealResponse({ status: 200 }));
    await expectCode(() => sealed.openResponse(streamOf(chunkedAnswer)), 'CHANNEL_RESPONSE_MISMATCH');
  });

  it('and have media types and weaknesses of their own', () => {
    expect(outerTypesOf('ohttp')).toEqual({ request: 'message/ohttp-req', response: 'message/ohttp-res' });
    expect(protocolOfType('message/ohttp-req')).toBe('ohttp');
    expect(protocolOfType('message/ohttp-chunked-req')).toBe('chunked-ohttp');
    for (const type of [null, '', 'message/ohttp-res', 'Message/ohttp-req'])
      expect(protocolOfType(type)).toBeUndefined();
    expect(weaknessesOf('chunked-ohttp')).toEqual([]);
    expect(weaknessesOf('ohttp').join(' ')).toMatch(/streams/);
  });
});
