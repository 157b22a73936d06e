import { concatBytes, toHex, u32be, utf8Encode } from '@fastness/codec/bytes';
import { kemX25519, parseKeyConfigList } from '@fastness/channel';
import { describe, expect, it } from 'vitest';
import { kdfHkdfSha256, aeadAes256Gcm, suiteOf } from '../../../packages/channel/src/hpke.ts';
import { ehbpInfo } from '../../../packages/channel/src/ehbp/labels.ts';
import { requireAdapters } from '../src/start/adapters.ts';
import { gatewayAlone } from './gateway-alone.ts';

/** What is used of the npm package. */
interface Ehbp {
  readonly Identity: { fromPublicKeyHex: (hex: string) => Promise<unknown> };
  readonly Transport: new (
    identity: unknown,
    host: string,
  ) => { request: (url: string, init: RequestInit) => Promise<Response> };
}

const published = 'ehbp';
const ehbp = await (import(published) as Promise<Ehbp>).catch(() => undefined);
if (ehbp === undefined) process.stderr.write('SKIPPED: the npm package `ehbp` is not installed; run `npm ci`.\n');

const withEhbp = ['chunked-ohttp', 'ehbp'] as const;
const keyOf = (keyConfig: Uint8Array): Uint8Array =>
  parseKeyConfigList(keyConfig).find(({ kem }) => kem === kemX25519)?.publicKey ?? new Uint8Array(0);
const path = '/v1/chat/completions';
const text = '{"prompt":"secret words"}';

/** The published client with a key that the evidence commits to; nothing is fetched but answers. */
async function clientFor(url: string, keyConfig: Uint8Array): Promise<(body: string) => Promise<Response>> {
  if (ehbp === undefined) throw new Error('not installed');
  const identity = await ehbp.Identity.fromPublicKeyHex(toHex(keyOf(keyConfig)));
  const transport = new ehbp.Transport(identity, new URL(url).host);
  const headers = { 'content-type': 'application/json', authorization: 'Bearer key' };
  return async (body) => transport.request(`http://any${path}?a=b`, { method: 'POST', headers, body });
}

/** A request in frames of our own making: what no published client sends. */
async function framesTo(keyConfig: Uint8Array, ...parts: readonly string[]) {
  const suite = suiteOf({ kem: kemX25519, kdf: kdfHkdfSha256, aead: aeadAes256Gcm });
  const publicKey = await suite.DeserializePublicKey(keyOf(keyConfig));
  const { encapsulatedSecret, ctx } = await suite.SetupSender(publicKey, { info: ehbpInfo });
  const frames: Uint8Array[] = [];
  for (const part of parts) {
    const sealed = part === '' ? new Uint8Array(0) : await ctx.Seal(utf8Encode(part), new Uint8Array(0));
    frames.push(concatBytes(u32be(sealed.length), sealed));
  }
  return { enc: toHex(encapsulatedSecret), frames };
}

async function post(url: string, enc: string | undefined, body: Uint8Array, where = path) {
  const headers = enc === undefined ? {} : { 'ehbp-encapsulated-key': enc };
  const response = await fetch(`${url}${where}`, { method: 'POST', headers, body: new Uint8Array(body) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const type = response.headers.get('content-type');
  const problem = type === 'application/problem+json' ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
  return { status: response.status, headers: response.headers, bytes, code: problem?.code, type: problem?.type };
}

/** Answers what it saw of the request, as JSON. */
const mirror = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url);
  const body = await request.text();
  return Response.json(
    { path: pathname + search, headers: Object.fromEntries(request.headers), body },
    { status: 201 },
  );
};

describe.skipIf(ehbp === undefined)('the published client of EHBP', () => {
  it('is answered under the attested key, and no field that it sent in the clear is believed', async () => {
    const gateway = await gatewayAlone({ api: mirror, protocols: withEhbp });
    const ask = await clientFor(gateway.url, gateway.ring.current.keys.public.keyConfig);
    const response = await ask(text);
    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({
      path: `${path}?a=b`,
      headers: { 'content-type': 'application/json' },
      body: text,
    });
  });

  it('reads a stream part by part', async () => {
    const steps = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    let part = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await steps[part - 1]?.promise;
        if (part === 3) controller.close();
        else controller.enqueue(utf8Encode(`data: ${part}\n\n`));
        part += 1;
      },
    });
    const api = async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    const gateway = await gatewayAlone({ api, protocols: withEhbp });
    const ask = await clientFor(gateway.url, gateway.ring.current.keys.public.keyConfig);
    const reader = ((await ask(text)).body ?? new ReadableStream<Uint8Array>()).getReader();
    const seen: string[] = [];
    for (const step of [...steps, undefined]) {
      // The next part is made only after this one was read: nothing waits for the end.
      seen.push(new TextDecoder().decode((await reader.read()).value));
      step?.resolve(undefined);
    }
    expect(seen).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n']);
    expect((await reader.read()).done).toBe(true);
  });

  it('goes on with replaced keys for the overlap, and then learns that they are gone', async () => {
    const gateway = await gatewayAlone({ api: mirror, protocols: withEhbp });
    const ask = await clientFor(gateway.url, gateway.ring.current.keys.public.keyConfig);
    await gateway.ring.rotate();
    expect((await ask(text)).status).toBe(201);
    await gateway.ring.rotate();
    await expect(ask(text)).rejects.toMatchObject({ name: 'KeyConfigMismatchError' });
  });

  it('does not notice an answer that was cut between two frames: the weakness that is stated', async () => {
    const body = () =>
      new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (const part of ['whole ', 'answer']) controller.enqueue(utf8Encode(part));
          controller.close();
        },
      });
    const gateway = await gatewayAlone({ api: async () => new Response(body()), protocols: withEhbp, bodyChunk: 6 });
    const ask = await clientFor(gateway.url, gateway.ring.current.keys.public.keyConfig);
    expect(await (await ask(text)).text()).toBe('whole answer');
    const platform = globalThis.fetch;
    try {
      globalThis.fetch = async (input, init) => {
        const response = await platform(input, init);
        const bytes = new Uint8Array(await response.arrayBuffer());
        return new Response(bytes.subarray(0, 4 + 6 + 16), response);
      };
      expect(await (await ask(text)).text()).toBe('whole ');
    } finally {
      globalThis.fetch = platform;
    }
  });
});

describe('EHBP at the enclave', () => {
  it('is off unless the configuration names it, and never against the promise of a release', async () => {
    const gateway = await gatewayAlone({ api: mirror });
    const { enc, frames } = await framesTo(gateway.ring.current.keys.public.keyConfig, text);
    expect(await post(gateway.url, enc, concatBytes(...frames))).toMatchObject({ status: 404, code: 'ENCLAVE_ROUTE' });
    for (const promised of ['balanced', 'strict'] as const) {
      expect(() => requireAdapters(['ohttp', 'ehbp'], promised)).toThrow(
        expect.objectContaining({ code: 'ENCLAVE_CONFIG' }),
      );
      requireAdapters(['ohttp'], promised);
    }
    requireAdapters(['ehbp'], undefined);
    requireAdapters(['ehbp'], 'off');
  });

  it('answers nothing that came in the clear', async () => {
    let asked = 0;
    const gateway = await gatewayAlone({ api: (request) => ((asked += 1), mirror(request)), protocols: withEhbp });
    expect(await post(gateway.url, undefined, utf8Encode(text))).toMatchObject({
      status: 400,
      code: 'CHANNEL_UNSEALED',
    });
    expect((await fetch(`${gateway.url}/v1/models`)).status).toBe(405);
    const { enc } = await framesTo(gateway.ring.current.keys.public.keyConfig, text);
    expect((await post(gateway.url, enc, new Uint8Array(0))).code).toBe('CHANNEL_TRUNCATED');
    expect((await post(gateway.url, enc, u32be(0))).code).toBe('CHANNEL_TRUNCATED');
    expect((await post(gateway.url, enc, u32be(5))).code).toBe('CHANNEL_CHUNK_SIZE');
    expect((await post(gateway.url, enc, u32be(2 ** 31))).code).toBe('CHANNEL_REQUEST_TOO_LARGE');
    // Frames that hold nothing cost their reader all the same.
    expect((await post(gateway.url, enc, new Uint8Array(4 * 65_536))).code).toBe('CHANNEL_TRUNCATED');
    expect((await post(gateway.url, enc, new Uint8Array(4 * 65_537))).code).toBe('CHANNEL_REQUEST_TOO_LARGE');
    expect(asked).toBe(0);
  });

  it('reads frames in order, with empty ones between them, and answers them once', async () => {
    const gateway = await gatewayAlone({ api: mirror, protocols: withEhbp });
    const { enc, frames } = await framesTo(
      gateway.ring.current.keys.public.keyConfig,
      '{"prompt"',
      '',
      ':"secret words"}',
    );
    const body = concatBytes(...frames);
    const answer = await post(gateway.url, enc, body);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('ehbp-response-nonce')).toMatch(/^[0-9a-f]{64}$/);
    expect(new TextDecoder('latin1').decode(answer.bytes)).not.toContain('secret');
    expect(await post(gateway.url, enc, body)).toMatchObject({ status: 409, code: 'CHANNEL_REPLAYED' });
  });

  it.each<[string, (enc: string, body: Uint8Array) => [string, Uint8Array]]>([
    ['another encapsulated key', (enc, body) => [`${enc.startsWith('0') ? '1' : '0'}${enc.slice(1)}`, body]],
    ['a key that is none', (_enc, body) => ['00', body]],
    ['a changed frame', (enc, body) => [enc, body.with(10, (body[10] ?? 0) ^ 1)]],
  ])('opens no request with %s, and says so as a client of EHBP reads it', async (_name, change) => {
    const gateway = await gatewayAlone({ api: mirror, protocols: withEhbp });
    const { enc, frames } = await framesTo(gateway.ring.current.keys.public.keyConfig, text);
    const answer = await post(gateway.url, ...change(enc, concatBytes(...frames)));
    expect(answer).toMatchObject({
      status: 422,
      code: 'CHANNEL_REQUEST_UNOPENABLE',
      type: 'urn:ietf:params:ehbp:error:key-config',
    });
  });

  it.each<[string, (frames: readonly Uint8Array[]) => Uint8Array]>([
    ['cut within a frame', ([first = empty, second = empty]) => concatBytes(first, second.subarray(0, -1))],
    ['with a frame twice', ([first = empty]) => concatBytes(first, first)],
    ['with a frame left out', ([first = empty, , third = empty]) => concatBytes(first, third)],
  ])('refuses, inside, a request %s', async (_name, change) => {
    let read: string | undefined;
    const api = async (request: Request): Promise<Response> => new Response((read = await request.text()));
    const gateway = await gatewayAlone({ api, protocols: withEhbp });
    const { enc, frames } = await framesTo(gateway.ring.current.keys.public.keyConfig, 'one', 'two', 'three');
    const answer = await post(gateway.url, enc, change(frames));
    expect(answer.status).toBe(422);
    expect(answer.headers.get('ehbp-response-nonce')).not.toBeNull();
    expect(read).toBeUndefined();
  });
});

const empty = new Uint8Array(0);
