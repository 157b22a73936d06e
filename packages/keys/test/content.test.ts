import { concatBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { decodeContent, encodeContent, wipeContent, type StoreContent } from '../src/software/content.ts';

const secret = () => new Uint8Array(32).fill(9);
const content = (): StoreContent => ({
  generation: 3,
  keys: [
    {
      id: 'kek',
      purpose: 'wrap',
      algorithm: 'AES-256-GCM',
      createdAt: '2026-11-23T00:00:00.000Z',
      versions: [
        { version: 1, secret: secret() },
        { version: 4, secret: new Uint8Array(32).fill(8) },
      ],
    },
  ],
});

const [kek] = content().keys;
if (kek === undefined) throw new Error('one key');

const refused = expect.objectContaining({ code: 'KEYS_FILE_DAMAGED' });
const described = (description: string, ...secrets: Uint8Array[]) => {
  const text = utf8Encode(description);
  return concatBytes(u32be(text.length), text, ...secrets);
};

/** Whoever knows the passphrase can write anything; nothing of it may be taken for something else. */
describe('the content of a store', () => {
  it('round-trips, in memory of its own', () => {
    const bytes = Buffer.from(encodeContent(content()));
    const decoded = decodeContent(bytes);
    bytes.fill(0);
    expect(decoded).toEqual(content());
  });

  it('is wiped', () => {
    const mine = content();
    wipeContent(mine);
    expect(mine.keys[0]?.versions.every(({ secret: bytes }) => bytes.every((byte) => byte === 0))).toBe(true);
  });

  it.each<[string, StoreContent]>([
    ['an id twice', { generation: 1, keys: [kek, kek] }],
    ['versions out of order', { generation: 1, keys: [{ ...kek, versions: kek.versions.toReversed() }] }],
    ['a version twice', { generation: 1, keys: [{ ...kek, versions: [...kek.versions, ...kek.versions.slice(1)] }] }],
    ['no version', { generation: 1, keys: [{ ...kek, versions: [] }] }],
    ['an algorithm of another purpose', { generation: 1, keys: [{ ...kek, algorithm: 'P-256' }] }],
    ['an invalid id', { generation: 1, keys: [{ ...kek, id: 'Kek' }] }],
    [
      'a secret of no length',
      { generation: 1, keys: [{ ...kek, versions: [{ version: 1, secret: new Uint8Array(0) }] }] },
    ],
    ['no generation', { generation: 0, keys: [] }],
  ])('is refused with %s', (_, forged) => {
    expect(() => decodeContent(encodeContent(forged))).toThrowError(refused);
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['no description', Uint8Array.of(0, 0, 0)],
    ['a description cut short', Uint8Array.of(0, 0, 0, 9, 0x7b)],
    ['a description that is no JSON', described('{')],
    ['a description that is no text', concatBytes(u32be(1), Uint8Array.of(0xff))],
    ['a secret too few', encodeContent(content()).slice(0, -1)],
    ['bytes behind the last secret', concatBytes(encodeContent(content()), Uint8Array.of(0))],
  ])('is refused with %s', (_, bytes) => {
    expect(() => decodeContent(bytes)).toThrowError(refused);
  });
});
