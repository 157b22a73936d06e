import { describe, expect, it } from 'vitest';
import { concatBytes, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { collect, sealRequest } from '@fastness/channel';
import { errorHeader, evidenceHeader, mediaTypes, receiptTrailer } from '@fastness/channel/wire';
import { sealStream } from '../../../packages/channel/src/ohttp/chunk-writer.ts';
import { chunkedForm } from '../../../packages/channel/src/ohttp/chunked.ts';
import { chunkedLabels } from '../../../packages/channel/src/ohttp/labels.ts';
import { acceptableKeys, sealRequestChunk, setUpFirst } from '../../../packages/channel/src/ohttp/request-sealer.ts';
import { exportResponseSecret } from '../../../packages/channel/src/ohttp/response-key.ts';
import { openResponse } from '../../../packages/channel/src/open-response.ts';
import { webPrimitives } from '../../../packages/channel/src/primitives.ts';
import { carry, gatewayAlone, send, type Seen } from './gateway-alone.ts';

const hello = (): Request =>
  new Request('https://enclave.invalid/v1/models', {
    method: 'POST',
    body: 'hello',
    headers: { accept: 'text/plain' },
  });
const api = async (request: Request): Promise<Response> => new Response(await request.text());

/** Seals a plaintext that is no request, as nobody's client would. */
async function sealPlaintext(keyConfig: Uint8Array, plaintext: Uint8Array) {
  const { header, enc, context, suite } = await setUpFirst(acceptableKeys(keyConfig, false), chunkedLabels);
  const source = { take: async () => ({ bytes: plaintext, done: true }), cancel: async () => {} };
  const body = sealStream({ prefix: concatBytes(header, enc), source, seal: sealRequestChunk(context) });
  const secret = exportResponseSecret({ context, label: chunkedLabels.response, aead: suite.aead, enc });
  return { body: await collect(body, 2 ** 20), secret };
}

function looksLikeAnyAnswer(seen: Seen): void {
  expect(seen.status).toBe(200);
  expect(seen.type).toBe(mediaTypes.chunkedResponse);
  const text = new TextDecoder('latin1').decode(seen.bytes);
  expect(text).not.toMatch(/CHANNEL_|ENCLAVE_|error/u);
}

describe('what is wrong inside the channel', () => {
  it('is told to the client alone: a header of the request', async () => {
    const gateway = await gatewayAlone({ api });
    const request = hello();
    request.headers.set(evidenceHeader, 'no digest');
    const { seen, opened, text } = await send(gateway.url, gateway.ring.current.keys.public.keyConfig, request);
    looksLikeAnyAnswer(seen);
    expect(opened?.status).toBe(422);
    expect(opened?.headers.get(errorHeader)).toBe('CHANNEL_HTTP_FIELD');
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'CHANNEL_HTTP_FIELD' } });
    expect((await opened?.trailers)?.get(receiptTrailer)).toBeNull();
  });

  it('is told to the client alone: content that is no HTTP', async () => {
    const gateway = await gatewayAlone({ api });
    const { body, secret } = await sealPlaintext(
      gateway.ring.current.keys.public.keyConfig,
      utf8Encode('\u0007 a secret that is no request'),
    );
    const seen = await carry(gateway.url, new Uint8Array(body ?? []));
    looksLikeAnyAnswer(seen);
    const stream = new Response(new Uint8Array(seen.bytes)).body ?? new ReadableStream<Uint8Array>();
    const opened = await openResponse({ secret, form: chunkedForm, primitives: webPrimitives, stream });
    expect(opened.headers.get(errorHeader)).toMatch(/^CHANNEL_HTTP_/u);
    await opened.body.cancel();
  });

  it('is told to the client alone: a lease that was lost', async () => {
    let held = true;
    const gateway = await gatewayAlone({
      api,
      assertHeld: () => {
        if (!held) throw new FastnessError('ENCLAVE_LEASE_LOST');
        // Held when the request comes, lost when it has opened.
        held = false;
      },
    });
    const { seen, opened } = await send(gateway.url, gateway.ring.current.keys.public.keyConfig, hello());
    looksLikeAnyAnswer(seen);
    expect(opened?.headers.get(errorHeader)).toBe('ENCLAVE_LEASE_LOST');
  });

  it('is told to the client alone: the rest of a request that does not come', async () => {
    const gateway = await gatewayAlone({ api, arriveMs: 1 });
    const never = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(40_000)),
    });
    const request = { method: 'POST', path: '/v1/models', body: never };
    const keyConfig = gateway.ring.current.keys.public.keyConfig;
    const sealed = await sealRequest({ keyConfig, request });
    const headers = { 'content-type': mediaTypes.chunkedRequest };
    const init = { method: 'POST', headers, body: sealed.body, duplex: 'half' } as const;
    const response = await fetch(`${gateway.url}/ohttp`, init);
    expect(response.headers.get('content-type')).toBe(mediaTypes.chunkedResponse);
    const opened = await sealed.openResponse(response.body ?? new ReadableStream());
    expect(opened.headers.get(errorHeader)).toBe('ENCLAVE_TIME_LIMIT');
    await opened.body.cancel();
  });

  it('and what nobody foresaw is told to nobody', async () => {
    const gateway = await gatewayAlone({
      api: () => Promise.reject(new TypeError('a secret of the model')),
    });
    const { seen, opened, text } = await send(gateway.url, gateway.ring.current.keys.public.keyConfig, hello());
    looksLikeAnyAnswer(seen);
    expect(opened?.headers.get(errorHeader)).toBe('ENCLAVE_ENGINE_FAILED');
    expect(text).not.toContain('secret');
    expect(gateway.events).toEqual(['request-failed']);
  });
});

describe('errors of the channel itself', () => {
  it.each<[string, string, (honest: Uint8Array) => Uint8Array]>([
    ['CHANNEL_KEY_UNKNOWN', 'another key id', (honest) => honest.with(0, (honest[0] ?? 0) ^ 0x80)],
    ['CHANNEL_REQUEST_UNOPENABLE', 'a changed ciphertext', (honest) => honest.with(1200, (honest[1200] ?? 0) ^ 1)],
    ['CHANNEL_TRUNCATED', 'a cut header', (honest) => honest.subarray(0, 100)],
  ])('are answered in the clear, before any content was read: %s, %s', async (code, _what, change) => {
    const gateway = await gatewayAlone({ api });
    const sealed = await sealRequest({ keyConfig: gateway.ring.current.keys.public.keyConfig, request: hello() });
    const honest = (await collect(sealed.body, 2 ** 20)) ?? new Uint8Array(0);
    const seen = await carry(gateway.url, new Uint8Array(change(honest)));
    expect(seen.type).toBe('application/problem+json');
    expect(JSON.parse(new TextDecoder().decode(seen.bytes))).toMatchObject({ code });
  });

  it('are answered in the clear: a replay', async () => {
    const gateway = await gatewayAlone({ api });
    const sealed = await sealRequest({ keyConfig: gateway.ring.current.keys.public.keyConfig, request: hello() });
    const honest = (await collect(sealed.body, 2 ** 20)) ?? new Uint8Array(0);
    looksLikeAnyAnswer(await carry(gateway.url, new Uint8Array(honest)));
    const seen = await carry(gateway.url, new Uint8Array(honest));
    expect(JSON.parse(new TextDecoder().decode(seen.bytes))).toMatchObject({ code: 'CHANNEL_REPLAYED' });
  });
});
