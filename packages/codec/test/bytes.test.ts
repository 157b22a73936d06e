import {
  ByteParts,
  ByteReader,
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromBase64Url,
  fromHex,
  plainBytes,
  toBase64,
  toBase64Url,
  toHex,
  u16be,
  u32be,
  u64be,
  utf8Decode,
  utf8Encode,
} from '@fastness/codec';
import { describe, expect, test } from 'vitest';
import { expectCode, seeded } from './support.ts';

const next = seeded(7);
const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => next(256));

describe('hex', () => {
  test('round trips and reads both cases', () => {
    const bytes = random(300);
    expect(fromHex(toHex(bytes))).toEqual(bytes);
    expect(fromHex('00fFaB')).toEqual(Uint8Array.of(0, 255, 171));
  });
  test.each([
    ['abc', 'CODEC_TRUNCATED'],
    ['0g', 'CODEC_MALFORMED'],
    [' 1', 'CODEC_MALFORMED'],
    ['@1', 'CODEC_MALFORMED'],
  ] as const)('refuses %j', async (text, code) => expectCode(code, () => fromHex(text)));
});

describe('base64', () => {
  test('agrees with another implementation at every length', () => {
    for (let length = 0; length < 100; length += 1) {
      const bytes = random(length);
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
      expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes);
    }
  });
  test.each([
    ['AAA', 'CODEC_TRUNCATED'],
    ['A===', 'CODEC_MALFORMED'],
    ['AA=A', 'CODEC_MALFORMED'],
    ['AA A', 'CODEC_MALFORMED'],
    ['AA-_', 'CODEC_MALFORMED'],
    ['AB==', 'CODEC_NOT_CANONICAL'],
    ['AAB=', 'CODEC_NOT_CANONICAL'],
  ] as const)('refuses %j', async (text, code) => expectCode(code, () => fromBase64(text)));
  test.each([
    ['AAAAA', 'CODEC_TRUNCATED'],
    ['AA==', 'CODEC_MALFORMED'],
    ['AA+/', 'CODEC_MALFORMED'],
    ['AB', 'CODEC_NOT_CANONICAL'],
    ['é', 'CODEC_TRUNCATED'],
    ['éé', 'CODEC_MALFORMED'],
  ] as const)('url form refuses %j', async (text, code) => expectCode(code, () => fromBase64Url(text)));
});

describe('utf8', () => {
  test('round trips and keeps a byte order mark', () => {
    expect(utf8Decode(utf8Encode('\uFEFFgrün 🜁'))).toBe('\uFEFFgrün 🜁');
  });
  test('refuses overlong forms, surrogates and cut sequences', async () => {
    for (const bytes of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xff]]) {
      await expectCode('CODEC_MALFORMED', () => utf8Decode(Uint8Array.from(bytes)));
    }
    await expectCode('CODEC_VALUE', () => utf8Encode('\uD800'));
  });
});

describe('byte strings', () => {
  test('compare, equal and concatenate', () => {
    const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)];
    expect(compareBytes(a, b)).toBe(-1);
    expect(compareBytes(b, a)).toBe(1);
    expect(compareBytes(a, a.slice())).toBe(0);
    expect(compareBytes(Uint8Array.of(2), b)).toBe(1);
    expect(equalBytes(a, a.slice())).toBe(true);
    expect(equalBytes(a, b)).toBe(false);
    expect(equalBytes(a, Uint8Array.of(1, 3))).toBe(false);
    expect(concatBytes(a, new Uint8Array(), b)).toEqual(Uint8Array.of(1, 2, 1, 2, 0));
  });
  test('shared memory is copied before use', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    const plain = plainBytes(shared);
    shared[0] = 1;
    expect(plain[0]).toBe(0);
    const own = Uint8Array.of(1);
    expect(plainBytes(own)).toBe(own);
  });
  test('integers', async () => {
    expect(toHex(concatBytes(u16be(0x102), u32be(0xfffffffe), u64be(2n ** 64n - 1n)))).toBe(
      '0102fffffffeffffffffffffffff',
    );
    for (const wrong of [
      () => u16be(65_536),
      () => u32be(-1),
      () => u32be(1.5),
      () => u64be(2 ** 53),
      () => u64be(-1n),
    ]) {
      await expectCode('CODEC_VALUE', wrong);
    }
  });
});

describe('reader', () => {
  test('reads every width in both orders', () => {
    const reader = new ByteReader(
      fromHex(`01${'0102'.repeat(2)}${'01020304'.repeat(2)}${'0102030405060708'.repeat(2)}aa`),
    );
    expect([reader.u8(), reader.u16le(), reader.u16be(), reader.u32le(), reader.u32be()]).toEqual([
      1, 0x0201, 0x0102, 0x04030201, 0x01020304,
    ]);
    expect([reader.u64le(), reader.u64be()]).toEqual([0x0807060504030201n, 0x0102030405060708n]);
    expect([reader.offset, reader.remaining]).toEqual([29, 1]);
    expect(reader.take(1)).toEqual(Uint8Array.of(0xaa));
    reader.end();
  });
  test('reads a view at its own offset', () => {
    expect(new ByteReader(Uint8Array.of(9, 1, 2).subarray(1)).u16be()).toBe(0x0102);
  });
  test('refuses to read past the end, to leave bytes and to take nonsense', async () => {
    const reader = new ByteReader(new Uint8Array(3));
    await expectCode('CODEC_TRUNCATED', () => reader.u32le());
    await expectCode('CODEC_TRUNCATED', () => reader.take(4));
    await expectCode('CODEC_VALUE', () => reader.take(-1));
    await expectCode('CODEC_VALUE', () => reader.take(Number.NaN));
    await expectCode('CODEC_TRAILING', () => reader.end());
  });
});

describe('parts that somebody else cuts', () => {
  test('are joined in their order, whatever their sizes', () => {
    const parts = new ByteParts();
    const expected: Uint8Array[] = [];
    for (const length of [0, 1, 5000, 3, 4095, 4096, 2, 20_000, 1, 1, 16_000, 700, 16_383]) {
      const part = random(length);
      parts.push(part);
      expected.push(part);
      expect(parts.length).toBe(expected.reduce((sum, each) => sum + each.length, 0));
      expect(parts.join()).toEqual(concatBytes(...expected));
    }
    expect(new ByteParts().join()).toEqual(new Uint8Array());
  });
  test('are not kept one by one where they are small, and may be a million', () => {
    const parts = new ByteParts();
    const same = new Uint8Array(1);
    for (let index = 0; index < 1_000_000; index += 1) {
      same[0] = index;
      parts.push(same);
    }
    const joined = parts.join();
    expect(joined.length).toBe(1_000_000);
    expect(joined.every((byte, index) => byte === (index & 0xff))).toBe(true);
  });
});
