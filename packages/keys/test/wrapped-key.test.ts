import { describe, expect, it } from 'vitest';
import { wrappedKeyFromJson, wrappedKeyToJson, type WrappedKey } from '../src/index.ts';

describe('the JSON form of a wrapped key', () => {
  const wrapped: WrappedKey = {
    keyId: 'kek',
    keyVersion: 3,
    algorithm: 'HKDF-SHA256+A256GCM',
    ciphertext: Uint8Array.of(255, 254, 0),
  };
  const json = { keyId: 'kek', keyVersion: 3, algorithm: 'HKDF-SHA256+A256GCM', ciphertext: '__4A' };

  it('round-trips', () => {
    expect(wrappedKeyToJson(wrapped)).toEqual(json);
    expect(wrappedKeyFromJson(json)).toEqual(wrapped);
  });

  it.each([
    null,
    'text',
    {},
    { ...json, extra: 1 },
    { ...json, keyId: 'Kek' },
    { ...json, keyVersion: 0 },
    { ...json, keyVersion: 1.5 },
    { ...json, keyVersion: 2 ** 32 },
    { ...json, algorithm: '' },
    { ...json, ciphertext: '' },
    { ...json, ciphertext: '__4A=' },
    { ...json, ciphertext: '//4A' },
    { ...json, ciphertext: '__5' },
    { ...json, ciphertext: 'A'.repeat(20_000) },
  ])('refuses %j', (value) => {
    expect(() => wrappedKeyFromJson(value)).toThrowError(expect.objectContaining({ code: 'KEYS_WRAPPED_MALFORMED' }));
  });
});
