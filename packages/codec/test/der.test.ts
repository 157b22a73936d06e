import { fromHex, toHex } from '@fastness/codec';
import { der, DerReader, ecdsaSignatureFromRaw, ecdsaSignatureToRaw, readDerSequence } from '@fastness/codec/der';
import { describe, expect, test } from 'vitest';
import { expectCode } from './support.ts';

const reader = (hex: string): DerReader => new DerReader(fromHex(hex));

describe('der round trips', () => {
  test.each([0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1])('small integer %d', (value) => {
    expect(new DerReader(der.integer(value)).smallInteger()).toBe(value);
  });
  test.each([
    [0n, '020100'],
    [-1n, '0201ff'],
    [-128n, '020180'],
    [-129n, '0202ff7f'],
    [128n, '02020080'],
    [2n ** 64n, '0209010000000000000000'],
  ] as const)('integer %d is %s', (value, hex) => {
    expect(toHex(der.integer(value))).toBe(hex);
    expect(toHex(new DerReader(der.integer(value)).integer())).toBe(hex.slice(4));
  });
  test.each([
    '1.2.840.113549.1.1.10',
    '2.16.840.1.101.3.4.2.2',
    '0.9.2342.19200300.100.1.1',
    '2.999.1',
    '1.3.6.1.4.1.3704.1.3.8',
  ])('oid %s', (oid) => expect(new DerReader(der.oid(oid)).oid()).toBe(oid));
  test.each(['1949-12-31T23:59:59Z', 'not a date'])('no time of %s', async (text) =>
    expectCode('CODEC_VALUE', () => der.time(new Date(text))),
  );
  test.each([
    '1950-01-01T00:00:00Z',
    '2026-02-28T23:59:59Z',
    '2049-12-31T23:59:59Z',
    '2050-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ])('time %s', (text) => expect(new DerReader(der.time(new Date(text))).time()).toEqual(new Date(text)));
  test('the year 2050 is written long, 2049 short', () => {
    expect(der.time(new Date('2049-01-01T00:00:00Z'))[0]).toBe(0x17);
    expect(der.time(new Date('2050-01-01T00:00:00Z'))[0]).toBe(0x18);
  });
  test('text, flags, sets and long lengths', () => {
    expect(new DerReader(der.utf8String('grün')).text()).toBe('grün');
    expect(new DerReader(der.printableString('CA 1')).text()).toBe('CA 1');
    expect(new DerReader(der.ia5String('a@b')).text()).toBe('a@b');
    const flags = [false, true, false, false, false, false, false, false, true];
    expect(new DerReader(der.namedBits([...flags, false])).namedBits()).toEqual(flags);
    expect(new DerReader(der.namedBits([])).namedBits()).toEqual([]);
    expect(toHex(der.set(der.integer(2), der.integer(1)))).toBe('3106020101020102');
    for (const length of [127, 128, 255, 256, 65_536]) {
      expect(new DerReader(der.octetString(new Uint8Array(length))).octetString()).toHaveLength(length);
    }
    expect(new DerReader(der.sequence(der.explicit(0, der.boolean(true)))).sequence().explicit(0)?.boolean()).toBe(
      true,
    );
  });
});

describe('der strictness', () => {
  test.each([
    ['a cut header', '30', 'CODEC_TRUNCATED'],
    ['a cut length', '3082', 'CODEC_TRUNCATED'],
    ['cut content', '0402aa', 'CODEC_TRUNCATED'],
    ['an indefinite length', '30800000', 'CODEC_NOT_CANONICAL'],
    ['a long form of a short length', '04810100', 'CODEC_NOT_CANONICAL'],
    ['a length with a leading zero', `0482008000${'00'.repeat(128)}`, 'CODEC_NOT_CANONICAL'],
    ['a length of five octets', '04850000000001', 'CODEC_LIMIT'],
    ['tag 0', '0000', 'CODEC_MALFORMED'],
    ['a high tag', '1f8100', 'CODEC_UNSUPPORTED'],
  ] as const)('refuses %s', async (_, hex, code) => expectCode(code, () => reader(hex).element()));

  test.each([
    ['an empty integer', '0200', 'integer', 'CODEC_MALFORMED'],
    ['a padded integer', '02020001', 'integer', 'CODEC_NOT_CANONICAL'],
    ['a padded negative integer', '0202ff80', 'integer', 'CODEC_NOT_CANONICAL'],
    ['a negative small integer', '0201ff', 'smallInteger', 'CODEC_LIMIT'],
    ['a small integer of 2^31', '02050080000000', 'smallInteger', 'CODEC_LIMIT'],
    ['a boolean of two octets', '0102ffff', 'boolean', 'CODEC_MALFORMED'],
    ['a boolean of 1', '010101', 'boolean', 'CODEC_NOT_CANONICAL'],
    ['a null with content', '050100', 'null', 'CODEC_MALFORMED'],
    ['an empty oid', '0600', 'oid', 'CODEC_MALFORMED'],
    ['an oid arc with leading zeros', '06032a8001', 'oid', 'CODEC_NOT_CANONICAL'],
    ['an oid that ends inside an arc', '06022a86', 'oid', 'CODEC_TRUNCATED'],
    ['an oid arc above 2^53', `060a2a${'ff'.repeat(8)}7f`, 'oid', 'CODEC_LIMIT'],
    ['a long oid', `0641${'01'.repeat(65)}`, 'oid', 'CODEC_LIMIT'],
    ['a bit string without header', '0300', 'bitString', 'CODEC_MALFORMED'],
    ['eight unused bits', '030208ff', 'bitString', 'CODEC_MALFORMED'],
    ['unused bits of nothing', '030101', 'bitString', 'CODEC_MALFORMED'],
    ['unused bits that are set', '030201ff', 'namedBits', 'CODEC_NOT_CANONICAL'],
    ['a key that is not whole bytes', '030201fe', 'bitString', 'CODEC_MALFORMED'],
    ['named bits that end in zero', '03020104', 'namedBits', 'CODEC_NOT_CANONICAL'],
    ['another type', '0401aa', 'integer', 'CODEC_MALFORMED'],
    ['nothing', '', 'integer', 'CODEC_TRUNCATED'],
    ['text of another type', '1e020041', 'text', 'CODEC_UNSUPPORTED'],
    ['printable text with an underscore', '13015f', 'text', 'CODEC_MALFORMED'],
    ['ASCII text with a high byte', '160180', 'text', 'CODEC_MALFORMED'],
    ['utf8 text that is not', '0c0180', 'text', 'CODEC_MALFORMED'],
    ['a time of another type', '0c01aa', 'time', 'CODEC_MALFORMED'],
  ] as const)('refuses %s', async (_, hex, method, code) => expectCode(code, () => reader(hex)[method]()));

  test.each([
    ['17', '2601010000Z', 'CODEC_NOT_CANONICAL'],
    ['17', '260101000000+0000', 'CODEC_NOT_CANONICAL'],
    ['17', '260101000060Z', 'CODEC_MALFORMED'],
    ['17', '261301000000Z', 'CODEC_MALFORMED'],
    ['17', '260229000000Z', 'CODEC_MALFORMED'],
    ['17', '260101240000Z', 'CODEC_MALFORMED'],
    ['18', '20260101000000.5Z', 'CODEC_NOT_CANONICAL'],
    ['18', '20260101000000', 'CODEC_NOT_CANONICAL'],
    ['18', '20261131000000Z', 'CODEC_MALFORMED'],
  ] as const)('refuses the time %s %s', async (tag, text, code) => {
    const content = Buffer.from(text, 'latin1');
    await expectCode(code, () => new DerReader(der.tagged(Number.parseInt(tag, 16), content)).time());
  });

  test('refuses what is left over', async () => {
    await expectCode('CODEC_TRAILING', () => readDerSequence(fromHex('300000'), () => undefined));
    await expectCode('CODEC_TRAILING', () => readDerSequence(fromHex('30020500'), () => undefined));
  });
  test('refuses deep nesting', async () => {
    let bytes = der.null();
    for (let depth = 0; depth < 30; depth += 1) bytes = der.sequence(bytes);
    const descend = (level: DerReader): void => descend(level.sequence());
    await expectCode('CODEC_LIMIT', () => descend(new DerReader(bytes)));
  });
  test.each(['', '3.1', '1.40', '1', '1.2.x', '1.02', '1.-2'])('writes no oid %j', async (oid) =>
    expectCode('CODEC_VALUE', () => der.oid(oid)),
  );
});

describe('ecdsa signatures', () => {
  test('convert both ways, with leading zeros and high bits', () => {
    const raw = new Uint8Array(96);
    raw[47] = 0x80;
    raw.fill(0xff, 48);
    expect(ecdsaSignatureToRaw(ecdsaSignatureFromRaw(raw), 48)).toEqual(raw);
  });
  test.each([
    ['a negative half', '30060201ff020101', 'CODEC_MALFORMED'],
    ['half too long', `30260221${'01'.repeat(33)}020101`, 'CODEC_MALFORMED'],
    ['a padded half', '3007020200010201ff', 'CODEC_NOT_CANONICAL'],
    ['a third number', '3009020101020101020101', 'CODEC_TRAILING'],
    ['one number', '3003020101', 'CODEC_TRUNCATED'],
    ['trailing bytes', '300602010102010100', 'CODEC_TRAILING'],
  ] as const)('refuses %s', async (_, hex, code) => expectCode(code, () => ecdsaSignatureToRaw(fromHex(hex), 32)));
  test('writes no odd length', async () => expectCode('CODEC_VALUE', () => ecdsaSignatureFromRaw(new Uint8Array(3))));
});
