import { describe, expect, it } from 'vitest';
import { CMW_EVIDENCE, CMW_MAX_VALUE, cmwFromJson, cmwToJson } from '../src/index.ts';

const record = { type: 'application/vnd.example+cbor', value: Uint8Array.of(1, 2, 255), ind: CMW_EVIDENCE };

describe('CMW records', () => {
  it('survive JSON', () => {
    expect(cmwToJson(record)).toEqual(['application/vnd.example+cbor', 'AQL_', 4]);
    expect(cmwFromJson(JSON.parse(JSON.stringify(cmwToJson(record))))).toEqual(record);
    const { type, value } = record;
    expect(cmwFromJson(cmwToJson({ type, value }))).toEqual({ type, value });
  });

  it.each([
    ['not an array', { 0: 'a/b' }],
    ['null', null],
    ['too few members', ['a/b']],
    ['too many members', ['a/b', 'AQ', 4, 4]],
    ['a content format number', [10_000, 'AQ']],
    ['a type without a subtype', ['evidence', 'AQ']],
    ['a type with parameters', ['a/b; c=d', 'AQ']],
    ['a type in upper case', ['A/B', 'AQ']],
    ['base64 with padding', ['a/b', 'AQ==']],
    ['base64 of the other alphabet', ['a/b', 'A+8']],
    ['an indicator of zero', ['a/b', 'AQ', 0]],
    ['an indicator that is text', ['a/b', 'AQ', '4']],
    ['an indicator that is no integer', ['a/b', 'AQ', 1.5]],
  ])('refuses %s', (_, json) => {
    expect(() => cmwFromJson(json)).toThrow(expect.objectContaining({ code: 'CMW_MALFORMED' }));
  });

  it('refuses values over the limit, before decoding and after', () => {
    expect(() => cmwFromJson(['a/b', 'A'.repeat(CMW_MAX_VALUE * 2)])).toThrow(
      expect.objectContaining({ code: 'CMW_TOO_LARGE' }),
    );
    expect(() => cmwToJson({ type: 'a/b', value: new Uint8Array(CMW_MAX_VALUE + 1) })).toThrow(
      expect.objectContaining({ code: 'CMW_TOO_LARGE' }),
    );
  });
});
