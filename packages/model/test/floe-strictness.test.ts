import { randomBytes } from 'node:crypto';
import { concatBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import type { ErrorCode } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import { floeDecrypt, floeDecryptSegment, floeEncrypt, geometryOf, maxSegmentSize } from '../src/index.ts';
import { startFloe } from '../src/floe/header.ts';
import { createSegmentKeys } from '../src/floe/segment-keys.ts';
import { decryptSegment, encryptSegment } from '../src/floe/segment.ts';
import { codeOf } from './support/expect-code.ts';

const key = new Uint8Array(randomBytes(32));
const aad = utf8Encode('model-a');
const segmentSize = 64;
const capacity = segmentSize - 32;
const headerLength = 74;

function seal(size: number): { plaintext: Uint8Array; sealed: Uint8Array } {
  const plaintext = new Uint8Array(randomBytes(size));
  return { plaintext, sealed: floeEncrypt(plaintext, { key, aad, segmentSize }) };
}

function open(sealed: Uint8Array): Promise<ErrorCode> {
  return codeOf(() => floeDecrypt(sealed, { key, aad }));
}

/** The ciphertext of one segment. */
function segment(sealed: Uint8Array, position: number): Uint8Array {
  return sealed.slice(headerLength + position * segmentSize, headerLength + (position + 1) * segmentSize);
}

const header = (sealed: Uint8Array): Uint8Array => sealed.slice(0, headerLength);

describe('FLOE round trip', () => {
  it.each([0, 1, capacity - 1, capacity, capacity + 1, 3 * capacity, 3 * capacity + 7])('%i bytes', (size) => {
    const { plaintext, sealed } = seal(size);
    expect(sealed.length).toBe(geometryOf(size, segmentSize).sealedSize);
    expect(Buffer.compare(floeDecrypt(sealed, { key, aad }), plaintext)).toBe(0);
  });

  it('crosses the pieces that the cipher is fed', () => {
    const plaintext = new Uint8Array(randomBytes(3 * 1024 * 1024 + 17));
    const sealed = floeEncrypt(plaintext, { key, aad });
    expect(Buffer.compare(floeDecrypt(sealed, { key, aad }), plaintext)).toBe(0);
    const last = floeDecryptSegment(sealed, { key, aad, position: 3 });
    expect(Buffer.compare(last, plaintext.slice(3 * (1024 * 1024 - 32)))).toBe(0);
  });

  it('never writes the same ciphertext twice', () => {
    const { plaintext, sealed } = seal(100);
    expect(Buffer.compare(floeEncrypt(plaintext, { key, aad, segmentSize }), sealed)).not.toBe(0);
  });
});

describe('FLOE refuses', () => {
  it('every flipped bit', async () => {
    const { sealed } = seal(2 * capacity + 5);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = sealed.slice();
      const index = bit >> 3;
      flipped[index] = (flipped[index] ?? 0) ^ (1 << (bit & 7));
      expect(await open(flipped), `bit ${bit}`).toBe(codeOfFlip(bit));
    }
  });

  /** Which check a flipped bit must meet, from the layout alone. */
  function codeOfFlip(bit: number): ErrorCode {
    const index = bit >> 3;
    if (index < 2 || (index >= 6 && index < 10)) return 'FLOE_PARAMETERS';
    if (index < 6) {
      const size = segmentSize ^ ((1 << (bit & 7)) * 2 ** (8 * (5 - index)));
      return size >>> 0 < 33 || size >>> 0 > maxSegmentSize ? 'FLOE_PARAMETERS' : 'FLOE_HEADER_TAG';
    }
    if (index < headerLength) return 'FLOE_HEADER_TAG';
    const within = (index - headerLength) % segmentSize;
    if (within >= 4) return 'FLOE_SEGMENT_TAG';
    const position = Math.floor((index - headerLength) / segmentSize);
    // 0xffffffff with a bit missing is no length; the last segment has 37 bytes.
    if (position < 2) return 'FLOE_SEGMENT_LENGTH';
    const length = (37 ^ ((1 << (bit & 7)) * 2 ** (8 * (3 - within)))) >>> 0;
    if (length < 32 || length > segmentSize) return 'FLOE_SEGMENT_LENGTH';
    return length > 37 ? 'FLOE_TRUNCATED' : 'FLOE_TRAILING';
  }

  it.each([0, 5, capacity])('every truncation (last segment of %i bytes)', async (last) => {
    const { sealed } = seal(last === 0 ? 0 : 2 * capacity + last);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(await open(sealed.slice(0, length)), `${length} bytes`).toBe('FLOE_TRUNCATED');
    }
  });

  it.each([5, capacity])('appended bytes (last segment of %i bytes)', async (last) => {
    const { sealed } = seal(2 * capacity + last);
    for (const extra of [1, 16, 31, 32, 33, segmentSize, 3 * segmentSize + 1]) {
      expect(await open(concatBytes(sealed, new Uint8Array(extra))), `${extra} bytes`).toBe('FLOE_TRAILING');
    }
    expect(await open(concatBytes(sealed, segment(sealed, 2)))).toBe('FLOE_TRAILING');
    expect(await open(concatBytes(sealed, sealed))).toBe('FLOE_TRAILING');
  });

  it('segments that are swapped, repeated or left out', async () => {
    const { sealed } = seal(3 * capacity + 5);
    const [a, b, c] = [segment(sealed, 0), segment(sealed, 1), segment(sealed, 2)];
    const last = segment(sealed, 3);
    const head = header(sealed);
    expect(await open(concatBytes(head, a, b, c, last).slice(0, 0))).toBe('FLOE_TRUNCATED');
    expect(await open(concatBytes(head, b, a, c, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, a, a, c, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, a, b, b, c, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, a, c, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, b, c, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, last))).toBe('FLOE_SEGMENT_TAG');
    expect(await open(concatBytes(head, a, b, c))).toBe('FLOE_TRUNCATED');
    expect(await open(concatBytes(head, last, a, b, c))).toBe('FLOE_TRAILING');
  });

  it('a segment of another file under the same key', async () => {
    const one = seal(2 * capacity + 5).sealed;
    const other = seal(2 * capacity + 5).sealed;
    expect(await open(concatBytes(header(one), segment(one, 0), segment(other, 1), segment(one, 2)))).toBe(
      'FLOE_SEGMENT_TAG',
    );
    expect(await open(concatBytes(header(other), one.slice(headerLength)))).toBe('FLOE_SEGMENT_TAG');
  });

  it('a segment whose last-flag is changed, in both directions', async () => {
    const { sealed } = seal(2 * capacity);
    // The middle made last: what was before it is a whole message but for the flag.
    const cut = sealed.slice(0, headerLength + segmentSize);
    cut.set(u32be(segmentSize), headerLength);
    expect(await open(cut)).toBe('FLOE_SEGMENT_TAG');
    // The last made a middle one, followed by another last.
    const grown = concatBytes(sealed, segment(sealed, 1));
    grown.set(u32be(0xffff_ffff), headerLength + segmentSize);
    expect(await open(grown)).toBe('FLOE_SEGMENT_TAG');
  });

  it('another key and other associated data', async () => {
    const { sealed } = seal(100);
    const otherKey = key.map((byte) => byte ^ 1);
    expect(await codeOf(() => floeDecrypt(sealed, { key: otherKey, aad }))).toBe('FLOE_HEADER_TAG');
    expect(await codeOf(() => floeDecrypt(sealed, { key, aad: utf8Encode('model-b') }))).toBe('FLOE_HEADER_TAG');
    expect(await codeOf(() => floeDecrypt(sealed, { key, aad: new Uint8Array() }))).toBe('FLOE_HEADER_TAG');
    expect(await codeOf(() => floeDecrypt(sealed, { key: key.slice(0, 31), aad }))).toBe('FLOE_KEY_LENGTH');
    expect(await codeOf(() => floeEncrypt(sealed, { key: new Uint8Array(), aad }))).toBe('FLOE_KEY_LENGTH');
  });

  it('a header that asks for more memory than a segment may take', async () => {
    const { sealed } = seal(100);
    for (const size of [0, 32, maxSegmentSize + 1, 0x7fff_ffff, 0xffff_ffff]) {
      const hostile = sealed.slice();
      hostile.set(u32be(size), 2);
      expect(await open(hostile), `${size}`).toBe('FLOE_PARAMETERS');
    }
    // Made by someone who has the key: the bound holds before the tag is looked at.
    const context = { segmentSize: maxSegmentSize, iv: new Uint8Array(32), aad };
    expect(await open(startFloe(key, context).header)).toBe('FLOE_TRUNCATED');
    for (const size of [32, 0, -1, 33.5, Number.NaN, maxSegmentSize + 1]) {
      expect(await codeOf(() => floeEncrypt(sealed, { key, aad, segmentSize: size }))).toBe('FLOE_SEGMENT_SIZE');
    }
  });

  it('a segment that does not exist', async () => {
    const { sealed } = seal(100);
    for (const position of [4, -1, 0.5, Number.NaN, 2 ** 53]) {
      expect(await codeOf(() => floeDecryptSegment(sealed, { key, aad, position }))).toBe('FLOE_SEGMENT_RANGE');
    }
  });

  it('a plaintext that does not fit its segment', async () => {
    const start = startFloe(key, { segmentSize, iv: new Uint8Array(32), aad });
    using keys = createSegmentKeys(start.messageKey, { ...start, rotationMask: 20 });
    const iv = new Uint8Array(12);
    const encrypt = (length: number, isFinal: boolean, ivLength = 12): Promise<ErrorCode> =>
      codeOf(() =>
        encryptSegment(
          keys,
          { position: 0, isFinal },
          { iv: iv.slice(0, ivLength), plaintext: new Uint8Array(length), target: new Uint8Array(length + 32) },
        ),
      );
    expect(await encrypt(capacity - 1, false)).toBe('FLOE_SEGMENT_RANGE');
    expect(await encrypt(capacity + 1, false)).toBe('FLOE_SEGMENT_RANGE');
    expect(await encrypt(capacity + 1, true)).toBe('FLOE_SEGMENT_RANGE');
    expect(await encrypt(capacity, true, 11)).toBe('FLOE_SEGMENT_RANGE');
  });
});

describe('FLOE keys', () => {
  it('change every 2^mask segments, and are wiped', () => {
    const start = startFloe(key, { segmentSize, iv: new Uint8Array(32), aad });
    const keys = createSegmentKeys(start.messageKey, { ...start, rotationMask: 2 });
    const first = keys.keyFor(0);
    const copy = first.slice();
    expect(keys.keyFor(3)).toBe(first);
    const second = keys.keyFor(4);
    expect(second).not.toEqual(copy);
    expect(first).toEqual(new Uint8Array(32));
    expect(keys.keyFor(2).slice()).toEqual(copy);
    // Positions past 2^32 must not wrap around to the keys of low ones.
    expect(keys.keyFor(2 ** 32).slice()).not.toEqual(copy);
    const current = keys.keyFor(2 ** 40 - 1);
    keys[Symbol.dispose]();
    expect(current).toEqual(new Uint8Array(32));
  });

  it('decrypt nothing when the tag fails', async () => {
    const { sealed } = seal(5);
    const start = startFloe(key, { segmentSize, iv: sealed.slice(10, 42), aad });
    using keys = createSegmentKeys(start.messageKey, { ...start, rotationMask: 20 });
    const segmentBytes = sealed.slice(headerLength);
    const target = new Uint8Array(5);
    decryptSegment(keys, { position: 0, isFinal: true }, { segment: segmentBytes, target });
    expect(target).not.toEqual(new Uint8Array(5));
    const decrypt = (position: number, into: Uint8Array): Promise<ErrorCode> =>
      codeOf(() => decryptSegment(keys, { position, isFinal: true }, { segment: segmentBytes, target: into }));
    expect(await decrypt(1, target)).toBe('FLOE_SEGMENT_TAG');
    expect(target).toEqual(new Uint8Array(5));
    for (const length of [4, 6]) expect(await decrypt(0, new Uint8Array(length))).toBe('FLOE_SEGMENT_RANGE');
  });
});
