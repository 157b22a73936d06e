import { toHex } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  generateGatewayKeys,
  hpkeOpen,
  hpkeSealTo,
  keyReleaseAad,
  keyReleaseInfo,
  releasePublicKey,
  sealedKeyFromJson,
  sealedKeyToJson,
} from '../src/index.ts';
import { parseWire, sealedKeySchema } from '../src/wire/index.ts';
import { expectCode } from './support/errors.ts';

const digest = (byte: number) => new Uint8Array(32).fill(byte);
const aad = keyReleaseAad({ releaseDigest: digest(1), keyConfigDigest: digest(2), enclaveNonce: digest(3) });
const root = new Uint8Array(32).fill(42);

async function sealed() {
  const keys = await generateGatewayKeys();
  const publicKey = releasePublicKey({ keyConfig: keys.keyConfig });
  return { keys, message: await hpkeSealTo({ publicKey, info: keyReleaseInfo, aad, plaintext: root }) };
}

describe('a sealed key', () => {
  it('opens under the keys it was sealed to, after a trip through JSON', async () => {
    const { keys, message } = await sealed();
    const json: unknown = JSON.parse(JSON.stringify(sealedKeyToJson(message)));
    const received = sealedKeyFromJson(parseWire(sealedKeySchema, json));
    expect(toHex(await hpkeOpen({ keys, info: keyReleaseInfo, aad, ...received }))).toBe(toHex(root));
    expect(message.enc).toHaveLength(1120);
    expect(message.ciphertext).toHaveLength(48);
  });

  it('does not open in another context, under other keys, or changed', async () => {
    const { keys, message } = await sealed();
    const good = { keys, info: keyReleaseInfo, aad, ...message };
    const flipped = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
    const others = [
      { ...good, info: new Uint8Array(1) },
      {
        ...good,
        aad: keyReleaseAad({ releaseDigest: digest(1), keyConfigDigest: digest(2), enclaveNonce: digest(4) }),
      },
      { ...good, keys: await generateGatewayKeys() },
      { ...good, enc: flipped(message.enc) },
      { ...good, enc: message.enc.subarray(1) },
      { ...good, ciphertext: flipped(message.ciphertext) },
      { ...good, ciphertext: message.ciphertext.subarray(0, 8) },
    ];
    for (const other of others) await expectCode(() => hpkeOpen(other), 'CHANNEL_SEALED_KEY');
  });

  it('is bound to three digests of 32 bytes', async () => {
    const parts = { releaseDigest: digest(1), keyConfigDigest: digest(2), enclaveNonce: new Uint8Array(31) };
    await expectCode(() => keyReleaseAad(parts), 'CHANNEL_SEALED_KEY');
  });

  it('is not made for a gateway without X-Wing', async () => {
    const { keys } = await sealed();
    const first = 2 + (keys.keyConfig[0] ?? 0) * 256 + (keys.keyConfig[1] ?? 0);
    await expectCode(
      () => releasePublicKey({ keyConfig: keys.keyConfig.subarray(first) }),
      'CHANNEL_SUITE_UNSUPPORTED',
    );
  });
});
