import { fromHex, toHex, utf8Encode } from '@fastness/codec/bytes';
import { generateNodeReceiptKey, nodePrimitives } from '@fastness/channel/node';
import { describe, expect, it } from 'vitest';
import {
  createGateway,
  createReplayCache,
  generateGatewayKeys,
  sealRequest,
  signReceipt,
  verifyReceipt,
  webPrimitives,
  type Primitives,
} from '../src/index.ts';
import { aeadAes128Gcm, aeadAes256Gcm } from '../src/hpke.ts';
import { randomBytesFrom, readAll, seededRandom, streamOf } from './support/bytes.ts';
import { expectCode } from './support/errors.ts';
import { xWingAnswer } from './support/x-wing-answer.ts';

const bytesOf = (length: number, seed: number): Uint8Array => randomBytesFrom(seededRandom(seed), length);
const sets = { web: webPrimitives, node: nodePrimitives };
const secret = bytesOf(32, 1);
const salt = bytesOf(64, 2);
const info = utf8Encode('key');
const nonce = bytesOf(12, 3);
const aads = [new Uint8Array(0), utf8Encode('final')];
const lengths = [0, 1, 31, 32, 33, 16_384];

describe("Node's own cryptography", () => {
  it.each(lengths)('hashes %i bytes to the same digest', async (length) => {
    const bytes = bytesOf(length, 4);
    expect(await nodePrimitives.sha256(bytes)).toEqual(await webPrimitives.sha256(bytes));
  });

  it('derives the same bytes, and keys that open what the other sealed', async () => {
    const [web, node] = [await webPrimitives.hkdf(secret), await nodePrimitives.hkdf(secret)];
    for (const length of [12, 16, 32, 100])
      expect(await node.bytes(salt, info, length)).toEqual(await web.bytes(salt, info, length));
    for (const keyLength of [16, 32]) {
      for (const aad of aads) {
        const plaintext = bytesOf(500, 5);
        const sealed = await (await node.aesGcm(salt, info, keyLength, 'encrypt')).seal(nonce, aad, plaintext);
        expect(await (await web.aesGcm(salt, info, keyLength, 'decrypt')).open(nonce, aad, sealed)).toEqual(plaintext);
        expect(await (await web.aesGcm(salt, info, keyLength, 'encrypt')).seal(nonce, aad, plaintext)).toEqual(sealed);
        expect(await (await node.aesGcm(salt, info, keyLength, 'decrypt')).open(nonce, aad, sealed)).toEqual(plaintext);
      }
    }
  });

  it('opens nothing that was changed, cut or sealed with another AAD', async () => {
    const cipher = await (await nodePrimitives.hkdf(secret)).aesGcm(salt, info, 32, 'decrypt');
    const [none, final] = [new Uint8Array(0), utf8Encode('final')];
    const sealed = await cipher.seal(nonce, none, bytesOf(40, 6));
    const open = async (bytes: Uint8Array, aad = none): Promise<Uint8Array> => cipher.open(nonce, aad, bytes);
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = sealed.slice();
      changed[index] = (changed[index] ?? 0) ^ 1;
      await expect(open(changed)).rejects.toThrow();
    }
    for (let length = 0; length < sealed.length; length += 1)
      await expect(open(sealed.subarray(0, length))).rejects.toThrow();
    await expect(open(sealed, final)).rejects.toThrow();
    expect(await open(sealed)).toEqual(bytesOf(40, 6));
  });

  it('extracts and expands as HPKE does', async () => {
    const [web, node] = [webPrimitives.hpkeKdf(), nodePrimitives.hpkeKdf()];
    for (const given of [new Uint8Array(0), salt])
      expect(await node.Extract(given, secret)).toEqual(await web.Extract(given, secret));
    for (const length of lengths.slice(1, 5))
      expect(await node.Expand(secret, info, length)).toEqual(await web.Expand(secret, info, length));
    await expect(node.Expand(secret.subarray(1), info, 1)).rejects.toThrow();
    await expect(node.Expand(secret, info, 255 * 32 + 1)).rejects.toThrow();
  });

  it.each([
    [aeadAes128Gcm, 'hpkeAes128Gcm', 16],
    [aeadAes256Gcm, 'hpkeAes256Gcm', 32],
  ] as const)('seals HPKE messages as AEAD %i does', async (id, name, keyLength) => {
    const [web, node] = [webPrimitives[name](), nodePrimitives[name]()];
    expect(node.id).toBe(id);
    const key = bytesOf(keyLength, 7);
    for (const aad of aads) {
      const sealed = await node.Seal(key, nonce, aad, secret);
      expect(await web.Seal(key, nonce, aad, secret)).toEqual(sealed);
      expect(await node.Open(key, nonce, aad, sealed)).toEqual(secret);
      await expect(node.Open(key, nonce, salt, sealed)).rejects.toThrow();
    }
  });

  it('signs receipts that verify', async () => {
    const key = generateNodeReceiptKey();
    const digests = {
      requestDigest: secret,
      responseDigest: secret,
      releaseDigest: secret,
      evidenceDigest: secret,
      keyConfigDigest: secret,
    };
    const claims = { ...digests, issuedAt: new Date(1000), sequence: 1 };
    const receipt = await signReceipt({ claims, sign: key.sign });
    expect(await verifyReceipt({ receipt, receiptKey: key.publicKey })).toEqual(claims);
  });
});

describe.each([
  ['web', 'node'],
  ['node', 'web'],
  ['node', 'node'],
] as const)('a client with %s and a gateway with %s', (clientSide, gatewaySide) => {
  const open = async (client: Primitives, gateway: Primitives) => {
    const keys = await generateGatewayKeys({ primitives: gateway });
    const { keyConfig } = keys;
    const door = createGateway({ keys, replayCache: createReplayCache() });
    const request = { method: 'POST', path: '/v1/x', body: bytesOf(100_000, 8) };
    const sealed = await sealRequest({ keyConfig, primitives: client, request });
    const opened = await door.open(streamOf(await readAll(sealed.body)));
    const body = await readAll(opened.request.body);
    return { sealed, opened, body, request };
  };

  it('understand each other, and agree on the digests', async () => {
    const { sealed, opened, body, request } = await open(sets[clientSide], sets[gatewaySide]);
    expect(body).toEqual(request.body);
    expect(await opened.requestDigest).toEqual(await sealed.requestDigest);
    let digest: Uint8Array | undefined;
    const answer = bytesOf(200_000, 9);
    const trailers = ({ responseDigest }: { responseDigest: Uint8Array }) => {
      digest = responseDigest;
      return {};
    };
    const wire = await readAll(opened.sealResponse({ status: 200, body: answer, trailers }));
    const response = await sealed.openResponse(streamOf(wire));
    expect(await readAll(response.body)).toEqual(answer);
    expect(await response.responseDigest).toEqual(digest);
  });

  it('refuse a response that was changed or cut', async () => {
    const { sealed, opened } = await open(sets[clientSide], sets[gatewaySide]);
    const wire = await readAll(opened.sealResponse({ status: 200, body: bytesOf(40_000, 9) }));
    const read = (bytes: Uint8Array) => async () => readAll((await sealed.openResponse(streamOf(bytes))).body);
    const changed = wire.slice();
    changed[40] = (changed[40] ?? 0) ^ 1;
    await expectCode(read(changed), 'CHANNEL_RESPONSE_MISMATCH');
    await expectCode(read(wire.subarray(0, 20_000)), 'CHANNEL_TRUNCATED');
  });
});

describe('X-Wing by Node', () => {
  const node = nodePrimitives.hpkeXWing();
  const web = webPrimitives.hpkeXWing();

  it('decapsulates the ciphertext of its draft', async () => {
    const privateKey = await node.DeserializePrivateKey(fromHex(xWingAnswer.sk), false);
    const shared = await node.Decap(fromHex(xWingAnswer.ct), privateKey, undefined);
    expect(toHex(shared)).toBe(xWingAnswer.ss);
  });

  it("agrees with WebCrypto's in both directions", async () => {
    for (const [from, to] of [
      [node, web],
      [web, node],
      [node, node],
    ] as const) {
      const { publicKey, privateKey } = await to.GenerateKeyPair(false);
      const raw = await to.SerializePublicKey(publicKey);
      expect(raw).toHaveLength(to.Npk);
      const { shared_secret, enc } = await from.Encap(await from.DeserializePublicKey(raw));
      expect(enc).toHaveLength(to.Nenc);
      expect(await to.Decap(enc, privateKey, undefined)).toEqual(shared_secret);
      const changed = enc.slice();
      changed[5] = (changed[5] ?? 0) ^ 1;
      // ML-KEM rejects implicitly: another secret, no error.
      expect(await to.Decap(changed, privateKey, undefined)).not.toEqual(shared_secret);
    }
  });

  it('takes no keys of other lengths or makes, and gives no private key away', async () => {
    const { publicKey, privateKey } = await node.GenerateKeyPair(false);
    await expect(node.DeserializePublicKey(new Uint8Array(1215))).rejects.toThrow();
    await expect(node.DeserializePrivateKey(new Uint8Array(31), false)).rejects.toThrow();
    await expect(node.Decap(new Uint8Array(1119), privateKey, undefined)).rejects.toThrow();
    await expect(async () => node.Encap((await web.GenerateKeyPair(false)).publicKey)).rejects.toThrow();
    await expect(async () => node.Decap(new Uint8Array(1120), publicKey, undefined)).rejects.toThrow();
    await expect(async () => node.SerializePrivateKey(privateKey)).rejects.toThrow();
    expect(privateKey.extractable).toBe(false);
    expect(JSON.stringify(privateKey)).not.toMatch(/[0-9a-f]{16}|KeyObject/);
  });
});
