import { concatBytes, toHex, u32be, u64be, utf8Encode } from '@fastness/codec/bytes';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { requestDigestOf, responseDigestOf, startResponseDigest } from '../src/index.ts';
import { randomBytesFrom, seededRandom } from './support/bytes.ts';

/** The construction as its documentation states it, over another implementation of SHA-256. */
function documented(fields: string[], body: Uint8Array): string {
  const hash = (...parts: Uint8Array[]) =>
    createHash('sha256')
      .update(concatBytes(...parts))
      .digest();
  let state = hash(...fields.flatMap((field) => [u32be(utf8Encode(field).length), utf8Encode(field)]));
  for (let at = 0; at < body.length; at += 65_536)
    state = hash(Uint8Array.of(1), state, body.subarray(at, at + 65_536));
  return toHex(hash(Uint8Array.of(2), state, u64be(BigInt(body.length))));
}

describe('message digests', () => {
  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 200_001])(
    'of %i bytes follow the documented construction',
    async (length) => {
      const body = randomBytesFrom(seededRandom(length), length);
      const request = { method: 'POST', path: '/v1/x?y', body };
      expect(toHex(await requestDigestOf(request))).toBe(documented(['fastness/request/v1', 'POST', '/v1/x?y'], body));
      expect(toHex(await responseDigestOf({ status: 200, body }))).toBe(
        documented(['fastness/response/v1', '200'], body),
      );
    },
  );

  it('do not depend on how the body arrives', async () => {
    const random = seededRandom(3);
    const body = randomBytesFrom(random, 300_000);
    const digest = startResponseDigest({ status: 200 });
    for (let at = 0; at < body.length;) {
      const length = Math.floor(random() * random() * 100_000);
      await digest.update(body.subarray(at, at + length));
      at += length;
    }
    expect(toHex(await digest.finish())).toBe(toHex(await responseDigestOf({ status: 200, body })));
  });

  it('tell method, path and body apart', async () => {
    const digests = await Promise.all(
      [
        { method: 'POST', path: '/a', body: utf8Encode('b') },
        { method: 'POST', path: '/ab', body: utf8Encode('') },
        { method: 'POST/', path: 'a', body: utf8Encode('b') },
        { method: 'POST', path: '/a', body: utf8Encode('b\0') },
      ].map(async (request) => toHex(await requestDigestOf(request))),
    );
    expect(new Set(digests).size).toBe(4);
  });
});
