import { describe, expect, it } from 'vitest';
import { collect, sealRequest } from '@fastness/channel';
import { errorHeader, evidenceHeader, receiptTrailer } from '@fastness/channel/wire';
import { parseConfig } from '../src/config.ts';
import { UnopenedRoom } from '../src/serve/unopened-room.ts';
import { streamOf } from '../../../packages/channel/test/support/bytes.ts';
import { carry, gatewayAlone, send, type Seen } from './gateway-alone.ts';

const hello = (headers: HeadersInit = {}): Request =>
  new Request('https://enclave.invalid/v1/models', { method: 'POST', body: 'hello', headers });
const api = async (request: Request): Promise<Response> => new Response(await request.text());
const both = ['chunked-ohttp', 'ohttp'] as const;
const plainType = 'message/ohttp-req';
const codeIn = ({ bytes }: Seen): unknown => JSON.parse(new TextDecoder().decode(bytes)).code;

async function sealed(keyConfig: Uint8Array, protocol: (typeof both)[number]): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = await sealRequest({ keyConfig, protocol, request: hello() });
  return new Uint8Array((await collect(body, 2 ** 20)) ?? []);
}

describe('plain OHTTP at the enclave', () => {
  it('is off unless the configuration names it', async () => {
    const least = { listen: { port: 0 }, brokerUrl: 'http://127.0.0.1:7000', modelDir: '/model' };
    expect(parseConfig(least).adapters).toEqual([]);
    expect(parseConfig({ ...least, adapters: ['ohttp'] }).adapters).toEqual(['ohttp']);
    expect(() => parseConfig({ ...least, adapters: ['http'] })).toThrow(
      expect.objectContaining({ code: 'ENCLAVE_CONFIG' }),
    );
    let asked = 0;
    const gateway = await gatewayAlone({ api: (request) => ((asked += 1), api(request)) });
    const { keyConfig } = gateway.ring.current.keys.public;
    const { seen } = await send(gateway.url, keyConfig, hello(), 'ohttp');
    expect(seen.status).toBe(403);
    expect(codeIn(seen)).toBe('CHANNEL_PROTOCOL_REFUSED');
    expect(asked).toBe(0);
  });

  it('answers in one piece with a receipt, and under replaced keys too', async () => {
    const gateway = await gatewayAlone({ api, protocols: both });
    const { keyConfig } = gateway.ring.current.keys.public;
    await gateway.ring.rotate();
    for (const keys of [keyConfig, gateway.ring.current.keys.public.keyConfig]) {
      const { seen, opened, text } = await send(gateway.url, keys, hello(), 'ohttp');
      expect(seen).toMatchObject({ status: 200, type: 'message/ohttp-res' });
      expect(text).toBe('hello');
      expect((await opened?.trailers)?.get(receiptTrailer)).toMatch(/^[\w-]{100,}$/);
    }
  });

  it('tells the client alone what is wrong inside', async () => {
    const gateway = await gatewayAlone({ api, protocols: both });
    const { keyConfig } = gateway.ring.current.keys.public;
    const { seen, opened } = await send(gateway.url, keyConfig, hello({ [evidenceHeader]: 'no digest' }), 'ohttp');
    expect(seen).toMatchObject({ status: 200, type: 'message/ohttp-res' });
    expect(opened?.headers.get(errorHeader)).toBe('CHANNEL_HTTP_FIELD');
  });

  it('answers a request once, and none whose media type was changed on the way', async () => {
    const gateway = await gatewayAlone({ api, protocols: both });
    const { keyConfig } = gateway.ring.current.keys.public;
    const chunked = await sealed(keyConfig, 'chunked-ohttp');
    const plain = await sealed(keyConfig, 'ohttp');
    expect(codeIn(await carry(gateway.url, chunked, plainType))).toBe('CHANNEL_REQUEST_UNOPENABLE');
    expect(codeIn(await carry(gateway.url, plain))).toMatch(/^CHANNEL_(?:CHUNK_SIZE|REQUEST_UNOPENABLE|TRUNCATED)$/);
    expect((await carry(gateway.url, plain, plainType)).type).toBe('message/ohttp-res');
    expect(codeIn(await carry(gateway.url, plain, plainType))).toBe('CHANNEL_REPLAYED');
    expect((await carry(gateway.url, chunked)).type).toBe('message/ohttp-chunked-res');
    expect(codeIn(await carry(gateway.url, chunked, 'message/ohttp-res'))).toBe('ENCLAVE_REQUEST');
  });

  it('holds of requests in one piece so much and no more, while chunked ones go on', async () => {
    const gateway = await gatewayAlone({ api, protocols: both, unopenedBytes: 1000 });
    const { keyConfig } = gateway.ring.current.keys.public;
    expect(codeIn(await carry(gateway.url, await sealed(keyConfig, 'ohttp'), plainType))).toBe('ENCLAVE_BUSY');
    expect((await send(gateway.url, keyConfig, hello())).text).toBe('hello');
  });
});

describe('room for requests that have not opened', () => {
  it('is shared by all and free again when they end, fail or are dropped', async () => {
    const room = new UnopenedRoom(10);
    const first = room.hold(streamOf(new Uint8Array(6), new Uint8Array(1))).getReader();
    await first.read();
    expect(room.held).toBe(6);
    await expect(new Response(room.hold(streamOf(new Uint8Array(5)))).arrayBuffer()).rejects.toMatchObject({
      code: 'ENCLAVE_BUSY',
    });
    expect(room.held).toBe(6);
    await new Response(room.hold(streamOf(new Uint8Array(4)))).arrayBuffer();
    expect(room.held).toBe(6);
    await first.cancel();
    expect(room.held).toBe(0);
  });
});
