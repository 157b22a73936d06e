import { nodePrimitives } from '@fastness/channel/node';
import { expect, it } from 'vitest';
import { aeadAes256Gcm, importPublicKey, kdfHkdfSha256, kemXWing, suiteOf } from '../src/hpke.ts';
import type { Primitives } from '../src/primitives.ts';
import { expectCode } from './support/errors.ts';

it('imports a public key once, agrees on another key with every use, and keeps no bytes of the caller', async () => {
  const seen: Uint8Array[] = [];
  const primitives: Primitives = {
    ...nodePrimitives,
    hpkeXWing: () => {
      const kem = nodePrimitives.hpkeXWing();
      return {
        ...kem,
        DeserializePublicKey: (bytes) => {
          seen.push(bytes);
          return kem.DeserializePublicKey(bytes);
        },
      };
    },
  };
  const suite = suiteOf({ kem: kemXWing, kdf: kdfHkdfSha256, aead: aeadAes256Gcm }, primitives);
  const rawKeys = await Promise.all(
    Array.from({ length: 5 }, async () => suite.SerializePublicKey((await suite.GenerateKeyPair()).publicKey)),
  );
  const [first = new Uint8Array(0), ...others] = rawKeys;
  const given = Buffer.from(first);
  const key = await importPublicKey(suite, given);
  expect(await importPublicKey(suite, first)).toBe(key);
  expect(seen).toHaveLength(1);
  const agreed = await Promise.all([suite.SetupSender(key), suite.SetupSender(key)]);
  expect(agreed[0].encapsulatedSecret).not.toEqual(agreed[1].encapsulatedSecret);

  // What the caller does with its bytes later changes nothing.
  given.fill(0);
  expect(await importPublicKey(suite, first)).toBe(key);
  // A key that differs in one bit is another one.
  const changed = first.slice();
  changed[1215] = (changed[1215] ?? 0) ^ 1;
  expect(await importPublicKey(suite, changed)).not.toBe(key);
  await expectCode(() => importPublicKey(suite, first.subarray(1)), 'CHANNEL_KEY_CONFIG');

  for (const other of others) await importPublicKey(suite, other);
  expect(await importPublicKey(suite, first)).not.toBe(key);
});
