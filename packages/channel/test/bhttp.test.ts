import { concatBytes, fromHex, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { decodeRequest, decodeResponse, type DecodedMessage } from '../src/bhttp/decode.ts';
import { encodeKnownRequest, encodeKnownResponse, encodeRequestHead, encodeTrailers } from '../src/bhttp/encode.ts';
import { fieldLinesOf } from '../src/bhttp/fields.ts';
import { incomplete } from '../src/bhttp/incomplete.ts';
import { defaultMessageLimits } from '../src/bhttp/limits.ts';
import { paddedLength } from '../src/bhttp/padding.ts';
import { PullReader } from '../src/pull-reader.ts';
import { collect, streamSource } from '../src/stream-source.ts';
import { decodeVarint, encodeVarint } from '../src/varint.ts';
import { streamOf } from './support/bytes.ts';
import { expectCode } from './support/errors.ts';

const control = { method: 'GET', scheme: 'https', authority: 'a', path: '/' };
const limits = { ...defaultMessageLimits, fields: 4, fieldBytes: 64 };

function readerOf(...parts: Uint8Array[]): PullReader {
  return new PullReader(streamSource(streamOf(...parts)).next, incomplete);
}

function lengthed(text: string): Uint8Array {
  return concatBytes(encodeVarint(text.length), utf8Encode(text));
}

/** Framing indicator and control data of a GET; what follows is the test's. */
function getHead(framing: number, path = '/'): Uint8Array {
  return concatBytes(Uint8Array.of(framing), ...['GET', 'https', 'a', path].map((text) => lengthed(text)));
}

async function bodyOf(message: DecodedMessage): Promise<string> {
  let text = '';
  for (let part = await message.nextBody(); part !== undefined; part = await message.nextBody())
    text += utf8Decode(part);
  return text;
}

async function readRequest(...parts: Uint8Array[]) {
  const message = await decodeRequest(readerOf(...parts), limits);
  return { message, body: await bodyOf(message) };
}

/** Gives one array over and over, with another byte in it each time: whoever keeps it has the last byte only. */
function reused(text: string): () => Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(1);
  let at = 0;
  return async () => {
    if (at === text.length) return undefined;
    bytes[0] = text.charCodeAt(at);
    at += 1;
    return bytes;
  };
}

describe('parts of a byte', () => {
  const text = 'a message whose parts cost a hundred times its size where each is kept';

  it('are not kept one by one by a reader', async () => {
    expect(utf8Decode(await new PullReader(reused(text), incomplete).take(text.length))).toBe(text);
    expect(utf8Decode((await new PullReader(reused(text), incomplete).rest(1000)) ?? new Uint8Array())).toBe(text);
  });

  it('are not kept one by one where a body is collected', async () => {
    const next = reused(text);
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const bytes = await next();
          if (bytes === undefined) controller.close();
          else controller.enqueue(bytes);
        },
      },
      { highWaterMark: 0 },
    );
    expect(utf8Decode((await collect(body, 1000)) ?? new Uint8Array())).toBe(text);
  });
});

describe('a message of known length', () => {
  it('is read as it was written', async () => {
    const fields = fieldLinesOf({ 'x-a': 'one', 'x-b': 'two' });
    const bytes = encodeKnownRequest({ ...control, fields, content: utf8Encode('hello') });
    const { message, body } = await readRequest(bytes);
    expect([...message.headers]).toEqual([
      ['x-a', 'one'],
      ['x-b', 'two'],
    ]);
    expect(body).toBe('hello');
  });

  it('may leave out empty parts at its end, and may be followed by zeros', async () => {
    const bytes = encodeKnownRequest({ ...control, fields: [], content: new Uint8Array(0) });
    for (let cut = 0; cut <= 3; cut += 1)
      expect((await readRequest(bytes.subarray(0, bytes.length - cut))).body).toBe('');
    expect((await readRequest(bytes, new Uint8Array(100_000))).body).toBe('');
  });

  it('is refused when anything but zeros follows', async () => {
    const bytes = encodeKnownRequest({ ...control, fields: [], content: new Uint8Array(0) });
    await expectCode(() => readRequest(bytes, Uint8Array.of(0, 0, 1)), 'CHANNEL_HTTP_PADDING');
  });

  it('is refused when a line runs past its section', async () => {
    const section = concatBytes(lengthed('x-a'), Uint8Array.of(9), utf8Encode('1'));
    const bytes = concatBytes(getHead(0), Uint8Array.of(section.length), section, Uint8Array.of(0, 0));
    await expectCode(() => readRequest(bytes), 'CHANNEL_HTTP_MALFORMED');
  });

  it('is refused when its content is shorter than it says', async () => {
    const bytes = encodeKnownRequest({ ...control, fields: [], content: utf8Encode('hello') });
    await expectCode(() => readRequest(bytes.subarray(0, bytes.length - 2)), 'CHANNEL_HTTP_MALFORMED');
  });

  it('is refused when its section is longer than the limit', async () => {
    const bytes = concatBytes(getHead(0), encodeVarint(5000), new Uint8Array(5000));
    await expectCode(() => readRequest(bytes), 'CHANNEL_HTTP_LIMIT');
  });
});

describe('a message of indeterminate length', () => {
  const head = encodeRequestHead({ ...control, fields: fieldLinesOf({ 'x-a': 'one' }) });

  it('is read with its chunks and trailers, however it is cut', async () => {
    const tail = concatBytes(
      lengthed('hel'),
      lengthed('lo'),
      Uint8Array.of(0),
      encodeTrailers([['x-t', 'end']]),
      new Uint8Array(9),
    );
    const whole = concatBytes(head, tail);
    for (const parts of [[whole], [...whole].map((byte) => Uint8Array.of(byte))]) {
      const { message, body } = await readRequest(...parts);
      expect(body).toBe('hello');
      expect([...message.trailers()]).toEqual([['x-t', 'end']]);
    }
  });

  it('may leave out empty parts at its end', async () => {
    expect((await readRequest(head)).body).toBe('');
    expect((await readRequest(getHead(2))).body).toBe('');
    expect((await readRequest(head, lengthed('hello'), Uint8Array.of(0))).body).toBe('hello');
  });

  it('is refused without the end of its content, of its fields or of its control data', async () => {
    await expectCode(() => readRequest(head, lengthed('hello')), 'CHANNEL_HTTP_MALFORMED');
    await expectCode(() => readRequest(getHead(2), lengthed('x-a'), lengthed('one')), 'CHANNEL_HTTP_MALFORMED');
    await expectCode(() => readRequest(getHead(2).subarray(0, 9)), 'CHANNEL_HTTP_MALFORMED');
    await expectCode(() => readRequest(), 'CHANNEL_HTTP_MALFORMED');
  });

  it('is refused with more lines than the limit', async () => {
    const lines = Array.from({ length: 5 }, () => [lengthed('x'), lengthed('y')]).flat();
    await expectCode(() => readRequest(getHead(2), ...lines, Uint8Array.of(0)), 'CHANNEL_HTTP_LIMIT');
  });

  it('is refused in more chunks of content than the limit; a response may have any number', async () => {
    const few = { ...limits, contentChunks: 3 };
    const message = (start: Uint8Array, count: number) => [
      start,
      Uint8Array.of(0),
      ...Array(count).fill(lengthed('x')),
      Uint8Array.of(0),
    ];
    const read = async (count: number) => bodyOf(await decodeRequest(readerOf(...message(getHead(2), count)), few));
    expect(await read(3)).toBe('xxx');
    await expectCode(() => read(4), 'CHANNEL_HTTP_LIMIT');
    const response = await decodeResponse(
      readerOf(...message(concatBytes(Uint8Array.of(3), encodeVarint(200)), 4)),
      few,
    );
    expect(await bodyOf(response)).toBe('xxxx');
  });
});

describe('a message is refused', () => {
  it('of another kind', async () => {
    const response = encodeKnownResponse({ status: 200, fields: [], content: new Uint8Array(0) });
    await expectCode(() => decodeRequest(readerOf(response), limits), 'CHANNEL_HTTP_FRAMING');
    await expectCode(() => decodeResponse(readerOf(getHead(0)), limits), 'CHANNEL_HTTP_FRAMING');
    await expectCode(() => decodeRequest(readerOf(Uint8Array.of(4)), limits), 'CHANNEL_HTTP_FRAMING');
  });

  it('with an informational or impossible status', async () => {
    const status = (value: number) => concatBytes(Uint8Array.of(1), encodeVarint(value));
    await expectCode(() => decodeResponse(readerOf(status(103)), limits), 'CHANNEL_HTTP_INFORMATIONAL');
    await expectCode(() => decodeResponse(readerOf(status(99)), limits), 'CHANNEL_HTTP_CONTROL');
    await expectCode(() => decodeResponse(readerOf(status(600)), limits), 'CHANNEL_HTTP_CONTROL');
    expect((await decodeResponse(readerOf(status(599)), limits)).status).toBe(599);
  });

  it('with control data that would mean something else behind the gateway', async () => {
    const refused = ['v1', '/a/../b', '/a/.', '/%2E%2e/b', '/a%2fb', '/a%5Cb', '/a%00', '//a', '/a b', '/a#b', '/ä'];
    for (const path of refused) await expectCode(() => readRequest(getHead(2, path)), 'CHANNEL_HTTP_CONTROL');
    for (const path of ['/', '/a/b.c', '/a?b=..//%2f', '/~a/b:c@d']) await readRequest(getHead(2, path));
    const http = concatBytes(Uint8Array.of(2), ...['GET', 'http', 'a', '/'].map((text) => lengthed(text)));
    await expectCode(() => readRequest(http), 'CHANNEL_HTTP_CONTROL');
  });

  it.each([
    ['', 'x'],
    ['X-A', '1'],
    [':path', '/'],
    ['x a', '1'],
    ['x-a', ' 1'],
    ['x-a', '1 '],
    ['x-a', 'a\r\nb: c'],
    ['x-a', 'a\0'],
    ['content-length', '5'],
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
    ['upgrade', 'h2c'],
    ['te', 'trailers'],
  ])('with the field %j: %j', async (name, value) => {
    const section = concatBytes(lengthed(name), lengthed(value));
    const bytes = concatBytes(getHead(0), Uint8Array.of(section.length), section);
    await expectCode(() => readRequest(bytes), 'CHANNEL_HTTP_FIELD');
  });

  it('with an integer in a longer form than needed', async () => {
    const bytes = concatBytes(Uint8Array.of(0, 0x40, 3), utf8Encode('GET'));
    await expectCode(() => readRequest(bytes), 'CHANNEL_HTTP_MALFORMED');
  });
});

describe('variable-length integers', () => {
  it.each([
    [0, '00'],
    [37, '25'],
    [63, '3f'],
    [64, '4040'],
    [15_293, '7bbd'],
    [16_383, '7fff'],
    [16_384, '80004000'],
    [494_878_333, '9d7f3e7d'],
    [1_073_741_823, 'bfffffff'],
    [1_073_741_824, 'c000000040000000'],
    [Number.MAX_SAFE_INTEGER, 'c01fffffffffffff'],
  ])('%i is %s', (value, hex) => {
    expect(encodeVarint(value)).toEqual(fromHex(hex));
    expect(decodeVarint(fromHex(hex), 'CHANNEL_HTTP_MALFORMED')).toBe(value);
  });

  it('above 2^53 are refused', async () => {
    await expectCode(
      () => decodeVarint(fromHex('c020000000000000'), 'CHANNEL_HTTP_MALFORMED'),
      'CHANNEL_HTTP_MALFORMED',
    );
  });
});

describe('padding', () => {
  it('rises in steps: powers of two, then eighths', () => {
    expect([0, 1, 512, 513, 1024, 1025, 65_536].map((length) => paddedLength(length))).toEqual([
      512, 512, 512, 1024, 1024, 2048, 65_536,
    ]);
    expect([65_537, 73_728, 73_729, 131_072, 131_073].map((length) => paddedLength(length))).toEqual([
      73_728, 73_728, 81_920, 131_072, 147_456,
    ]);
    for (let length = 65_537; length < 5_000_000; length += 12_347) {
      const padded = paddedLength(length);
      expect(padded).toBeGreaterThanOrEqual(length);
      expect(padded / length).toBeLessThan(1.126);
      expect(paddedLength(padded)).toBe(padded);
    }
  });
});
