import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { decryptWith, encryptWith } from '../src/floe/message.ts';
import { floeDecrypt, floeDecryptSegment, geometryOfSealed } from '../src/floe/index.ts';

const vectors = join(
  process.env['FASTNESS_VECTORS'] ?? join(import.meta.dirname, '../../../../shared/vectors'),
  'floe',
);
const present = existsSync(vectors);
if (!present) process.stderr.write(`FLOE known answers skipped: ${vectors} is absent\n`);
const names = present
  ? readdirSync(vectors).flatMap((name) => (name.endsWith('_ct.txt') ? [name.slice(0, -'_ct.txt'.length)] : []))
  : [];

const key = new Uint8Array(32);
const aad = utf8Encode('This is AAD');

function read(name: string): Uint8Array {
  return fromHex(readFileSync(join(vectors, name), 'utf8').trim().toLowerCase());
}

describe.skipIf(!present)('FLOE known answers of four implementations', () => {
  it('are all there', () => {
    expect(names.length).toBeGreaterThanOrEqual(17);
  });

  it.each(names)('%s', (name) => {
    const sealed = read(`${name}_ct.txt`);
    const plaintext = read(`${name}_pt.txt`);
    const segmentSize = new DataView(sealed.buffer).getUint32(2);
    const rotationMask = name.endsWith('rotation') ? 2 : 20;

    expect(toHex(decryptWith(sealed, { key, aad, rotationMask }))).toBe(toHex(plaintext));

    const { segments } = geometryOfSealed(sealed.length, segmentSize);
    const randomness = [sealed.slice(10, 42)];
    for (let position = 0; position < segments; position += 1) {
      const offset = 74 + position * segmentSize + 4;
      randomness.push(sealed.slice(offset, offset + 12));
    }
    if (name === 'java_lastSegEmpty') {
      // The one form we read and never write: an empty segment after a full one.
      expect(plaintext.length).toBe((segments - 1) * (segmentSize - 32));
      return;
    }
    const again = encryptWith(plaintext, {
      key,
      aad,
      segmentSize,
      rotationMask,
      random: (length) => {
        const next = randomness.shift();
        if (next?.length !== length) throw new Error('the ciphertext holds no such randomness');
        return next;
      },
    });
    expect(randomness).toEqual([]);
    expect(toHex(again)).toBe(toHex(sealed));
  });

  it('reads any one segment by itself', () => {
    const sealed = read('go_GCM256_IV256_64_ct.txt');
    const whole = floeDecrypt(sealed, { key, aad });
    const { segments } = geometryOfSealed(sealed.length, 64);
    for (let position = 0; position < segments; position += 1) {
      // Garble every other segment: what is asked for must not depend on them.
      const garbled = sealed.map((byte, index) =>
        index < 74 || Math.floor((index - 74) / 64) === position ? byte : byte ^ 0xff,
      );
      const segment = floeDecryptSegment(garbled, { key, aad, position });
      expect(toHex(segment)).toBe(toHex(whole.slice(position * 32, position * 32 + 32)));
    }
  });
});
