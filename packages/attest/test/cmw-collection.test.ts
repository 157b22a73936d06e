import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { describe, expect, it } from 'vitest';
import {
  CMW_EVIDENCE,
  CMW_MAX_RECORDS,
  CMW_MAX_VALUE,
  cmwCollectionFromCbor,
  cmwCollectionFromJson,
  cmwCollectionToCbor,
  cmwCollectionToJson,
  cmwFromCbor,
  cmwToCbor,
  EVIDENCE_COLLECTION_TYPE,
  type Cmw,
  type CmwCollection,
} from '../src/index.ts';
import { codeOf } from './support/errors.ts';

const cpu: Cmw = { type: 'application/vnd.example+cbor', value: Uint8Array.of(1, 2, 255), ind: CMW_EVIDENCE };
const gpu: Cmw = { type: 'application/vnd.example+json', value: Uint8Array.of(3) };
const collection: CmwCollection = {
  type: EVIDENCE_COLLECTION_TYPE,
  records: new Map([
    ['gpu0', gpu],
    ['cpu0', cpu],
  ]),
};
const json = {
  __cmwc_t: EVIDENCE_COLLECTION_TYPE,
  gpu0: ['application/vnd.example+json', 'Aw'],
  cpu0: ['application/vnd.example+cbor', 'AQL_', 4],
};
const record: CborValue = ['a/b', Uint8Array.of(1)];
const cbor = (...entries: readonly (readonly [string | number, CborValue])[]) => encodeCbor(new Map(entries));

describe('CMW collections', () => {
  it('survive JSON and CBOR', () => {
    expect(cmwCollectionToJson(collection)).toEqual(json);
    expect(cmwCollectionFromJson(JSON.parse(JSON.stringify(json)))).toEqual(collection);
    expect(cmwCollectionFromCbor(cmwCollectionToCbor(collection))).toEqual(collection);
    expect(cmwFromCbor(cmwToCbor(cpu))).toEqual(cpu);
    expect(cmwFromCbor(cmwToCbor(gpu))).toEqual(gpu);
  });

  it('need no type to be read', () => {
    const { records } = collection;
    expect(cmwCollectionFromJson(cmwCollectionToJson({ records }))).toEqual({ records });
    expect(cmwCollectionFromCbor(cmwCollectionToCbor({ records }))).toEqual({ records });
  });

  it.each([
    ['no object', [json]],
    ['null', null],
    ['no record', { __cmwc_t: 'a:b' }],
    ['a type that is no text', { ...json, __cmwc_t: 5 }],
    ['an empty type', { ...json, __cmwc_t: '' }],
    ['a collection inside', { cpu0: json }],
    ['a tunnel', { cpu0: ['#cmw-c2j-tunnel', 'AQ'] }],
    ['a record of one member', { cpu0: ['a/b'] }],
    ['an upper-case label', { CPU0: json.cpu0 }],
    ['an empty label', { '': json.cpu0 }],
    ['a label of JavaScript', JSON.parse('{"__proto__": ["a/b", "AQ"]}')],
    ['a label with spaces', { 'cpu 0': json.cpu0 }],
    ['a long label', { [`c${'0'.repeat(64)}`]: json.cpu0 }],
  ])('of JSON are refused with %s', async (_, value) => {
    expect(await codeOf(() => cmwCollectionFromJson(value))).toBe('CMW_MALFORMED');
  });

  it.each([
    ['no map', encodeCbor([record])],
    ['no record', cbor(['__cmwc_t', 'a:b'])],
    ['a type that is no text', cbor(['__cmwc_t', 5], ['cpu0', record])],
    ['a collection inside', cbor(['cpu0', new Map([['cpu0', record]])])],
    ['a label that is a number', cbor([1, record])],
    ['a record whose value is text', cbor(['cpu0', ['a/b', 'AQ']])],
    ['a record whose type is a number', cbor(['cpu0', [10_000, Uint8Array.of(1)]])],
    ['an indicator that is text', cbor(['cpu0', ['a/b', Uint8Array.of(1), 'x']])],
  ])('of CBOR are refused with %s', async (_, bytes) => {
    expect(await codeOf(() => cmwCollectionFromCbor(bytes))).toBe('CMW_MALFORMED');
  });

  it('refuse one label twice', async () => {
    // {"cpu0": [...], "cpu0": [...]}, which no writer of ours makes.
    const one = cbor(['cpu0', record]).slice(1);
    expect(await codeOf(() => cmwCollectionFromCbor(Uint8Array.of(0xa2, ...one, ...one)))).toMatch(/^CODEC_/);
  });

  it('have limits', async () => {
    const many = Object.fromEntries(
      Array.from({ length: CMW_MAX_RECORDS + 1 }, (_, index) => [`gpu${index}`, ['a/b', 'AQ']]),
    );
    expect(await codeOf(() => cmwCollectionFromJson(many))).toBe('CMW_TOO_LARGE');
    const value = new Uint8Array(CMW_MAX_VALUE);
    const large = new Map(['a', 'b', 'c', 'd', 'e'].map((name) => [name, { type: 'a/b', value }]));
    expect(await codeOf(() => cmwCollectionToJson({ records: large }))).toBe('CMW_TOO_LARGE');
    expect(await codeOf(() => cmwCollectionFromCbor(new Uint8Array(5 << 20)))).toBe('CMW_TOO_LARGE');
  });
});
