import { concatBytes, u16be } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { generateGatewayKeys, kemX25519, kemXWing, parseKeyConfigList } from '../src/index.ts';
import { encodeKeyConfig, encodeKeyConfigList, type KeyConfig } from '../src/ohttp/key-config.ts';
import { expectCode } from './support/errors.ts';

const config: KeyConfig = {
  keyId: 7,
  kem: kemX25519,
  publicKey: new Uint8Array(32).fill(9),
  symmetric: [{ kdf: 1, aead: 2 }],
};

function listOf(...entries: Uint8Array[]): Uint8Array {
  return concatBytes(...entries.flatMap((entry) => [u16be(entry.length), entry]));
}

describe('a key configuration list', () => {
  it('offers X-Wing first and X25519 second, with consecutive ids', async () => {
    const keys = await generateGatewayKeys();
    const list = parseKeyConfigList(keys.keyConfig);
    expect(list.map(({ kem }) => kem)).toEqual([kemXWing, kemX25519]);
    expect(list.map(({ keyId }) => keyId)).toEqual(keys.keyIds);
    expect(((keys.keyIds[0] ?? 0) + 1) % 256).toBe(keys.keyIds[1]);
    expect(encodeKeyConfigList(list)).toEqual(keys.keyConfig);
  });

  it('takes other ids after a rotation', async () => {
    let keys = await generateGatewayKeys();
    for (let round = 0; round < 4; round += 1) {
      const next = await generateGatewayKeys({ previous: keys });
      expect(next.keyIds.some((id) => keys.keyIds.includes(id))).toBe(false);
      keys = next;
    }
  });

  it('has no private key in it', async () => {
    const keys = await generateGatewayKeys();
    expect(Object.keys(keys).sort()).toEqual(['keyConfig', 'keyIds']);
    expect(JSON.stringify(keys)).not.toMatch(/private|secret/i);
  });

  it('leaves out entries of an unknown KEM', () => {
    const unknown = concatBytes(Uint8Array.of(1), u16be(0x9999), new Uint8Array(50));
    expect(parseKeyConfigList(listOf(unknown, encodeKeyConfig(config)))).toEqual([config]);
    expect(parseKeyConfigList(new Uint8Array(0))).toEqual([]);
  });

  it.each([
    ['that ends within an entry', listOf(encodeKeyConfig(config)).subarray(0, 20)],
    ['with bytes after an entry', listOf(concatBytes(encodeKeyConfig(config), Uint8Array.of(0)))],
    ['with a repeated key id', listOf(encodeKeyConfig(config), encodeKeyConfig(config))],
    ['with an empty entry', listOf(new Uint8Array(0))],
    ['without a suite', listOf(encodeKeyConfig({ ...config, symmetric: [] }))],
    ['with a part of a suite', listOf(concatBytes(encodeKeyConfig(config).subarray(0, 35), u16be(2), u16be(1)))],
    ['of nine entries', listOf(...Array.from({ length: 9 }, (_, keyId) => encodeKeyConfig({ ...config, keyId })))],
    ['longer than 16 KiB', new Uint8Array(16_385)],
  ])('is refused %s', async (_, bytes) => {
    await expectCode(() => parseKeyConfigList(bytes), 'CHANNEL_KEY_CONFIG');
  });
});
