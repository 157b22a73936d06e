import { fromHex, toHex } from '@fastness/codec';
import { CborTag, decodeCbor, encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { describe, expect, test } from 'vitest';
import { expectCode, fuzz } from './support.ts';

/** Examples of RFC 8949, appendix A, inside the subset. */
const known: [string, CborValue][] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
  ['3bffffffffffffffff', -18_446_744_073_709_551_616n],
  ['20', -1],
  ['3863', -100],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array()],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['62225c', '"\\'],
  ['64f0908591', '𐅑'],
  ['80', []],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['a0', new Map()],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<string, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
  ['c11a514b67b0', new CborTag(1, 1_363_896_240)],
  ['d74401020304', new CborTag(23, Uint8Array.of(1, 2, 3, 4))],
];

describe('cbor', () => {
  test.each(known)('%s', (hex, value) => {
    expect(decodeCbor(fromHex(hex))).toEqual(value);
    expect(toHex(encodeCbor(value))).toBe(hex);
  });
  test('orders keys by their encoding, whatever order they were set in', () => {
    const map = new Map<number | string, CborValue>([
      ['aa', 1],
      ['z', 2],
      [100, 3],
      [-1, 4],
      [10, 5],
    ]);
    expect(toHex(encodeCbor(map))).toBe('a50a051864032004617a0262616101');
    expect(decodeCbor(encodeCbor(map))).toEqual(map);
  });
  test('takes unsorted keys when asked to', () => {
    expect(decodeCbor(fromHex('a203040102'), { keyOrder: 'any' })).toEqual(
      new Map([
        [3, 4],
        [1, 2],
      ]),
    );
  });
  test('byte strings are views of the input', () => {
    const input = fromHex('4401020304');
    const value = decodeCbor(input);
    expect(value).toBeInstanceOf(Uint8Array);
    expect(value instanceof Uint8Array && value.buffer === input.buffer).toBe(true);
  });

  test.each([
    ['nothing', '', 'CODEC_TRUNCATED'],
    ['a cut argument', '19 03', 'CODEC_TRUNCATED'],
    ['cut bytes', '42 01', 'CODEC_TRUNCATED'],
    ['an array of more items than bytes', '9affffffff 00', 'CODEC_TRUNCATED'],
    ['a length of 2^64-1', '5bffffffffffffffff', 'CODEC_TRUNCATED'],
    ['a second item', '00 00', 'CODEC_TRAILING'],
    ['23 in two bytes', '18 17', 'CODEC_NOT_CANONICAL'],
    ['255 in three bytes', '1900ff', 'CODEC_NOT_CANONICAL'],
    ['65535 in five bytes', '1a0000ffff', 'CODEC_NOT_CANONICAL'],
    ['2^32-1 in nine bytes', '1b00000000ffffffff', 'CODEC_NOT_CANONICAL'],
    ['a long length', '5801 00', 'CODEC_NOT_CANONICAL'],
    ['an indefinite array', '9f ff', 'CODEC_NOT_CANONICAL'],
    ['an indefinite string', '7f ff', 'CODEC_NOT_CANONICAL'],
    ['a break', 'ff', 'CODEC_MALFORMED'],
    ['a reserved width', '1c', 'CODEC_MALFORMED'],
    ['text that is not UTF-8', '61 ff', 'CODEC_MALFORMED'],
    ['a key twice', 'a2 01 02 01 03', 'CODEC_MALFORMED'],
    ['keys out of order', 'a2 03 04 01 02', 'CODEC_NOT_CANONICAL'],
    ['long text before short', 'a2 626161 01 617a 02', 'CODEC_NOT_CANONICAL'],
    ['a key of bytes', 'a1 41 00 00', 'CODEC_UNSUPPORTED'],
    ['a key of an array', 'a1 80 00', 'CODEC_UNSUPPORTED'],
    ['a half float', 'f93c00', 'CODEC_UNSUPPORTED'],
    ['undefined', 'f7', 'CODEC_UNSUPPORTED'],
    ['a simple value', 'f8ff', 'CODEC_UNSUPPORTED'],
    ['a tag above 2^53', 'db ffffffffffffffff 00', 'CODEC_LIMIT'],
    ['deep arrays', `${'81'.repeat(20)}00`, 'CODEC_LIMIT'],
  ] as const)('refuses %s', async (_, hex, code) => {
    await expectCode(code, () => decodeCbor(fromHex(hex.replaceAll(' ', ''))));
  });
  test('keys that differ only in type do not collide, equal ones do', async () => {
    expect(decodeCbor(fromHex('a20101613102'))).toEqual(
      new Map<number | string, number>([
        [1, 1],
        ['1', 2],
      ]),
    );
    await expectCode('CODEC_MALFORMED', () => decodeCbor(fromHex('a203040305'), { keyOrder: 'any' }));
  });
  test('reads longer forms of integers, lengths and tags only when asked to', async () => {
    const loose = (hex: string) => decodeCbor(fromHex(hex.replaceAll(' ', '')), { keyOrder: 'any', integers: 'any' });
    expect(loose('19 0001')).toBe(1);
    expect(loose('1b 0000000000000007')).toBe(7);
    expect(loose('58 02 0102')).toEqual(Uint8Array.of(1, 2));
    expect(loose('b9 0001 18 01 78 01 61')).toEqual(new Map([[1, 'a']]));
    expect(loose('d8 12 80')).toMatchObject({ tag: 18 });
    await expectCode('CODEC_MALFORMED', () => loose('a2 01 02 18 01 03'));
    await expectCode('CODEC_NOT_CANONICAL', () => loose('5f ff'));
    await expectCode('CODEC_NOT_CANONICAL', () => decodeCbor(fromHex('190001')));
    await expectCode('CODEC_TRUNCATED', () => loose('9b 00000000ffffffff'));
  });
  test('reads maps without a length only when asked to, and nothing else without one', async () => {
    const open = (hex: string) => decodeCbor(fromHex(hex.replaceAll(' ', '')), { openMaps: 'accepted' });
    expect(open('bf 01 02 61 61 bf ff ff')).toEqual(
      new Map<number | string, CborValue>([
        [1, 2],
        ['a', new Map()],
      ]),
    );
    await expectCode('CODEC_NOT_CANONICAL', () => decodeCbor(fromHex('bfff')));
    for (const [hex, code] of [
      ['bf', 'CODEC_TRUNCATED'],
      ['bf 01 02', 'CODEC_TRUNCATED'],
      ['bf 01 ff', 'CODEC_MALFORMED'],
      ['bf ff ff', 'CODEC_TRAILING'],
      ['bf 01 02 01 03 ff', 'CODEC_MALFORMED'],
      ['bf 03 04 01 02 ff', 'CODEC_NOT_CANONICAL'],
      ['bf 01 9f ff ff', 'CODEC_NOT_CANONICAL'],
      ['bf 01 5f ff ff', 'CODEC_NOT_CANONICAL'],
      ['ff', 'CODEC_MALFORMED'],
    ] as const) {
      await expectCode(code, () => open(hex));
    }
  });
  test('holds its limits', async () => {
    await expectCode('CODEC_LIMIT', () => decodeCbor(new Uint8Array(5), { limits: { maxBytes: 4 } }));
    await expectCode('CODEC_LIMIT', () => decodeCbor(fromHex('8400000000'), { limits: { maxItems: 4 } }));
    await expectCode('CODEC_LIMIT', () => decodeCbor(fromHex('818100'), { limits: { maxDepth: 1 } }));
  });
  test.each([
    ['a fraction', 1.5],
    ['an unsafe number', 2 ** 53],
    ['2^64', 2n ** 64n],
    ['half a surrogate pair', '\uDC00'],
    [
      'one key as number and bigint',
      new Map<number | bigint, number>([
        [1, 1],
        [1n, 2],
      ]),
    ],
  ] as [string, CborValue][])('does not write %s', async (_, value) =>
    expectCode('CODEC_VALUE', () => encodeCbor(value)),
  );
  test('does not write what it does not know, nor endless nesting', async () => {
    // @ts-expect-error a Date is no CBOR value
    await expectCode('CODEC_VALUE', () => encodeCbor(new Date()));
    const endless: CborValue[] = [];
    endless.push(endless);
    await expectCode('CODEC_VALUE', () => encodeCbor(endless));
    await expectCode('CODEC_VALUE', () => new CborTag(-1, null));
  });
  test('mutations end in a value or a typed error, and every value writes back to its input', () => {
    const samples = known.map(([hex]) => fromHex(hex)).filter(({ length }) => length > 0);
    const parse = (bytes: Uint8Array): void => expect(encodeCbor(decodeCbor(bytes))).toEqual(bytes);
    fuzz({ samples, rounds: 400, parse });
  });
});
