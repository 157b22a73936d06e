import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeGcm } from '../src/floe/gcm-native.ts';
import { gcm, nodeGcm, type Gcm, type GcmMessage } from '../src/floe/gcm.ts';
import { codeOf } from './support/expect-code.ts';
import { bytes } from './support/workspace.ts';

const native = nativeGcm();
const ways: [string, Gcm][] = [['node:crypto', nodeGcm]];
if (native !== undefined) ways.push(['OpenSSL called directly', native]);

function messageOf(length: number): GcmMessage {
  const source = bytes(length);
  return {
    key: bytes(32),
    iv: bytes(12),
    aad: bytes(9),
    source,
    target: new Uint8Array(length),
    tag: new Uint8Array(16),
  };
}

/** What `createCipheriv` says in one call. */
function expected({ key, iv, aad, source }: GcmMessage): { ciphertext: Uint8Array; tag: Uint8Array } {
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  cipher.setAAD(aad);
  const ciphertext = new Uint8Array(Buffer.concat([cipher.update(source), cipher.final()]));
  return { ciphertext, tag: new Uint8Array(cipher.getAuthTag()) };
}

it.skipIf(process.platform !== 'linux')('calls OpenSSL directly with the Node that comes with the project', () => {
  expect(native).toBeDefined();
  expect(gcm()).not.toBe(nodeGcm);
});

describe.each(ways)('AES-256-GCM through %s', (_, way) => {
  it.each([0, 1, 15, 16, 17, 98_303, 98_304, 98_305, 1_048_544])('of %i bytes, apart and in place', (length) => {
    const message = messageOf(length);
    const { ciphertext, tag } = expected(message);
    way.encrypt(message);
    expect(Buffer.compare(message.target, ciphertext)).toBe(0);
    expect(message.tag).toEqual(tag);

    const inPlace = { ...message, source: message.target };
    way.decrypt(inPlace, '');
    expect(Buffer.compare(inPlace.target, message.source)).toBe(0);
    way.encrypt({ ...inPlace, tag: new Uint8Array(16) });
    expect(Buffer.compare(inPlace.target, ciphertext)).toBe(0);
  });

  it('refuses any change, and wipes the target', async () => {
    const sealed = messageOf(5000);
    way.encrypt(sealed);
    for (const part of ['key', 'iv', 'aad', 'source', 'tag'] as const) {
      const message = { ...sealed, source: sealed.target, target: bytes(5000) };
      const changed = message[part].slice();
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
      expect(await codeOf(() => way.decrypt({ ...message, [part]: changed }, 'here')), part).toBe('FLOE_SEGMENT_TAG');
      expect(
        message.target.every((byte) => byte === 0),
        part,
      ).toBe(true);
    }
  });
});

describe.skipIf(native === undefined)('OpenSSL called directly', () => {
  it.each(['key', 'iv', 'tag', 'target'] as const)('is never handed a %s of another length', async (part) => {
    const message = messageOf(64);
    for (const length of [0, message[part].length - 1, message[part].length + 1]) {
      const wrong = { ...message, [part]: new Uint8Array(length) };
      expect(await codeOf(() => native?.encrypt(wrong))).toBe('FLOE_SEGMENT_RANGE');
      expect(await codeOf(() => native?.decrypt(wrong, ''))).toBe('FLOE_SEGMENT_RANGE');
    }
  });
});
