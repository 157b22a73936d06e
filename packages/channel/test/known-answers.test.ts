import { concatBytes, fromBase64Url, fromHex, toHex, utf8Encode } from '@fastness/codec/bytes';
import * as hpke from 'hpke';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeRequest, decodeResponse } from '../src/bhttp/decode.ts';
import { encodeKnownRequest, encodeKnownResponse } from '../src/bhttp/encode.ts';
import { wholeMessage } from '../src/bhttp/message-source.ts';
import { incomplete } from '../src/bhttp/incomplete.ts';
import { defaultMessageLimits } from '../src/bhttp/limits.ts';
import { sealEhbpResponse } from '../src/ehbp/seal-response.ts';
import { gatewayKeysFrom } from '../src/gateway-keys.ts';
import { suiteOf, type HpkeSuite, type SuiteId } from '../src/hpke.ts';
import { ChunkReader, truncated } from '../src/ohttp/chunk-reader.ts';
import { encodeKeyConfig, parseKeyConfig } from '../src/ohttp/key-config.ts';
import { chunkedLabels, plainLabels, requestInfo } from '../src/ohttp/labels.ts';
import { openRequestChunk, openRequestContext } from '../src/ohttp/request-opener.ts';
import { sealRequestChunk, setUpRequest } from '../src/ohttp/request-sealer.ts';
import { openResponseChunk, sealResponseChunk } from '../src/ohttp/response-chunks.ts';
import { deriveResponseKey, exportResponseSecret } from '../src/ohttp/response-key.ts';
import { plainForm } from '../src/ohttp/plain.ts';
import { sealStream } from '../src/ohttp/chunk-writer.ts';
import { webPrimitives } from '../src/primitives.ts';
import { PullReader } from '../src/pull-reader.ts';
import { pullStream, streamSource } from '../src/stream-source.ts';
import { readAll, streamOf } from './support/bytes.ts';
import { haveVectors, vector } from './support/vectors.ts';

const x25519Aes128: SuiteId = { kem: 0x0020, kdf: 1, aead: 1 };

/** The suite with its ephemeral key given, so that what a sender makes can be compared byte for byte. */
async function withEphemeral(suiteId: SuiteId, skE: string): Promise<HpkeSuite> {
  const kem = hpke.KEM_DHKEM_X25519_HKDF_SHA256();
  const pair = await keyPairOf(suiteId, skE);
  const fixed = () => ({ ...kem, GenerateKeyPair: () => Promise.resolve(pair) });
  return new hpke.CipherSuite(
    fixed,
    hpke.KDF_HKDF_SHA256,
    suiteId.aead === 1 ? hpke.AEAD_AES_128_GCM : hpke.AEAD_AES_256_GCM,
  );
}

async function keyPairOf(suiteId: SuiteId, skHex: string): Promise<hpke.KeyPair> {
  const suite = suiteOf(suiteId);
  const privateKey = await suite.DeserializePrivateKey(fromHex(skHex), true);
  if (!(privateKey instanceof CryptoKey)) throw new Error('not a CryptoKey');
  // The JWK of a private key holds the public one as well.
  const jwk = await crypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await suite.DeserializePublicKey(fromBase64Url(jwk.x ?? ''));
  return { privateKey, publicKey };
}

function readerOf(bytes: Uint8Array): PullReader {
  return new PullReader(streamSource(streamOf(bytes)).next, incomplete);
}

const circlSchema = z.array(
  z.object({
    mode: z.number(),
    kem_id: z.number(),
    kdf_id: z.number(),
    aead_id: z.number(),
    info: z.string(),
    skRm: z.string(),
    pkRm: z.string(),
    skEm: z.string(),
    enc: z.string(),
    encryptions: z.array(z.object({ aad: z.string(), ciphertext: z.string(), plaintext: z.string() })),
    exports: z.array(z.object({ exporter_context: z.string(), L: z.number(), exported_value: z.string() })),
  }),
);

describe.skipIf(!haveVectors)('HPKE, X25519 with HKDF-SHA256', () => {
  it('reproduces every message and export of both AES-GCM suites', async () => {
    const cases = circlSchema.parse(vector('hpke-circl-v08-x25519-sha256-base.json'));
    const ours = cases.filter(({ aead_id: aead }) => aead === 1 || aead === 2);
    expect(ours).toHaveLength(2);
    for (const known of ours) {
      const suiteId = { kem: known.kem_id, kdf: known.kdf_id, aead: known.aead_id };
      const info = fromHex(known.info);
      const sending = await withEphemeral(suiteId, known.skEm);
      const sender = await sending.SetupSender(await sending.DeserializePublicKey(fromHex(known.pkRm)), { info });
      expect(toHex(sender.encapsulatedSecret)).toBe(known.enc);
      const pair = await keyPairOf(suiteId, known.skRm);
      const recipient = await suiteOf(suiteId).SetupRecipient(pair, fromHex(known.enc), { info });
      expect(known.encryptions.length).toBeGreaterThan(200);
      for (const { aad, ciphertext, plaintext } of known.encryptions) {
        expect(toHex(await sender.ctx.Seal(fromHex(plaintext), fromHex(aad)))).toBe(ciphertext);
        expect(toHex(await recipient.Open(fromHex(ciphertext), fromHex(aad)))).toBe(plaintext);
      }
      for (const { exporter_context: context, L, exported_value: value } of known.exports) {
        expect(toHex(await sender.ctx.Export(fromHex(context), L))).toBe(value);
        expect(toHex(await recipient.Export(fromHex(context), L))).toBe(value);
      }
    }
  });

  it('derives the key pairs of RFC 9180', async () => {
    const { vectors } = z
      .object({
        vectors: z.array(
          z.object({ aead_id: z.number(), ikmR: z.string(), pkRm: z.string(), ikmE: z.string(), enc: z.string() }),
        ),
      })
      .parse(vector('rfc9180-compact.json'));
    for (const known of vectors.filter(({ aead_id: aead }) => aead !== 3)) {
      const suite = suiteOf({ kem: 0x0020, kdf: 1, aead: known.aead_id });
      const recipient = await suite.DeriveKeyPair(fromHex(known.ikmR), false);
      expect(toHex(await suite.SerializePublicKey(recipient.publicKey))).toBe(known.pkRm);
      const ephemeral = await suite.DeriveKeyPair(fromHex(known.ikmE), false);
      expect(toHex(await suite.SerializePublicKey(ephemeral.publicKey))).toBe(known.enc);
    }
  });
});

const plainSchema = z.object({
  skR: z.string(),
  keyConfig: z.string(),
  request_bhttp: z.string(),
  skE: z.string(),
  encapsulatedRequest: z.string(),
  response_bhttp: z.string(),
  responseNonce: z.string(),
  encapsulatedResponse: z.string(),
});

describe.skipIf(!haveVectors)('RFC 9458, appendix A', () => {
  it('reproduces key configuration, request and response', async () => {
    const known = plainSchema.parse(vector('rfc9458.verified.json'));
    const config = parseKeyConfig(fromHex(known.keyConfig));
    if (config === undefined) throw new Error('not read');
    expect(toHex(encodeKeyConfig(config))).toBe(known.keyConfig);
    const request = encodeKnownRequest({
      method: 'GET',
      scheme: 'https',
      authority: 'example.com',
      path: '/',
      fields: [],
      content: new Uint8Array(0),
    });
    // The example leaves out the empty parts that this encoder writes as zeros.
    expect(toHex(request)).toBe(`${known.request_bhttp}000000`);
    const sending = await withEphemeral(x25519Aes128, known.skE);
    const client = await setUpRequest({ config, suite: x25519Aes128 }, plainLabels, sending);
    const sealed = await readAll(
      plainForm.sealRequest({
        prefix: concatBytes(client.header, client.enc),
        source: wholeMessage(fromHex(known.request_bhttp)),
        context: client.context,
      }),
    );
    expect(toHex(sealed)).toBe(known.encapsulatedRequest);

    const keys = gatewayKeysFrom([{ config, pair: await keyPairOf(x25519Aes128, known.skR) }]);
    const reader = readerOf(sealed);
    const gateway = await openRequestContext(reader, () => keys, plainLabels);
    const limit = { bytes: 1024, code: 'CHANNEL_REQUEST_TOO_LARGE' } as const;
    const opened = await plainForm.openRequest({ reader, context: gateway.context, limit })();
    if (opened === undefined) throw new Error('nothing opened');
    expect(toHex(opened)).toBe(known.request_bhttp);
    const message = await decodeRequest(readerOf(opened), defaultMessageLimits);
    expect(message).toMatchObject({ method: 'GET', scheme: 'https', authority: 'example.com', path: '/' });
    expect(await message.nextBody()).toBeUndefined();

    const nonce = fromHex(known.responseNonce);
    const from = { label: plainLabels.response, aead: 1, enc: gateway.enc };
    const sealing = exportResponseSecret({ ...from, context: gateway.context });
    const key = sealing.then((secret) => deriveResponseKey(secret, nonce, 'encrypt'));
    const source = wholeMessage(fromHex(known.response_bhttp));
    const response = await readAll(pullStream(plainForm.sealResponse({ prefix: nonce, source, key })));
    expect(toHex(response)).toBe(known.encapsulatedResponse);
    const ownSecret = await exportResponseSecret({ ...from, context: client.context });
    const opening = await deriveResponseKey(ownSecret, nonce, 'decrypt');
    const rest = readerOf(response.subarray(nonce.length));
    const answer = await plainForm.openResponse({ reader: rest, key: opening, limit })();
    if (answer === undefined) throw new Error('nothing opened');
    expect(toHex(answer)).toBe(known.response_bhttp);
    expect(await decodeResponse(readerOf(answer), defaultMessageLimits)).toMatchObject({ status: 200 });
    const encoded = encodeKnownResponse({ status: 200, fields: [], content: new Uint8Array(0) });
    expect(toHex(encoded)).toBe(`${known.response_bhttp}000000`);
  });
});

const ehbpSchema = z.object({
  exportedSecret: z.string(),
  requestEnc: z.string(),
  responseNonce: z.string(),
  plaintext: z.string(),
  encryptedResponse: z.string(),
});

describe.skipIf(!haveVectors)('EHBP', () => {
  it('reproduces the response of its published vector', async () => {
    const known = ehbpSchema.parse(vector('ehbp-response-decryption.json'));
    const derived = z.object({ derivedNonceBase: z.string() }).parse(vector('ehbp-derive.json'));
    const secret = {
      hkdf: await webPrimitives.hkdf(fromHex(known.exportedSecret)),
      aead: 2,
      enc: fromHex(known.requestEnc),
    };
    const key = deriveResponseKey(secret, fromHex(known.responseNonce), 'encrypt');
    expect(toHex((await key).baseNonce)).toBe(derived.derivedNonceBase);
    const response = { status: 200, body: fromHex(known.plaintext) };
    const sealed = await readAll(sealEhbpResponse({ key, response, chunkInterval: 0 }));
    expect(toHex(sealed)).toBe(known.encryptedResponse);
    const trailers = () => ({});
    expect(() => sealEhbpResponse({ key, response: { ...response, trailers }, chunkInterval: 0 })).toThrow('trailers');
  });
});

const chunkSchema = z.object({ plaintext: z.string(), ciphertext: z.string(), final: z.boolean().optional() });
const chunkedSchema = z.object({
  vectors: z.array(
    z.object({
      skR: z.string(),
      keyConfig: z.string(),
      request: z.string(),
      skE: z.string(),
      enc: z.string(),
      info: z.string(),
      requestChunks: z.array(chunkSchema),
      encapsulatedRequest: z.string(),
      response: z.string(),
      responseNonce: z.string(),
      responseChunks: z.array(chunkSchema),
      encapsulatedResponse: z.string(),
    }),
  ),
});

describe.skipIf(!haveVectors)('chunked OHTTP draft 08, appendix A', () => {
  const known = haveVectors ? chunkedSchema.parse(vector('chunked-ohttp-08.verified.json')).vectors[0] : undefined;

  /** A source of given plaintext pieces, the last of them final. */
  const piecesOf = (pieces: readonly { plaintext: string }[]) => {
    const left = [...pieces];
    return {
      take: () => {
        const bytes = fromHex(left.shift()?.plaintext ?? '');
        return Promise.resolve({ bytes, done: left.length === 0 });
      },
      cancel: () => Promise.resolve(),
    };
  };

  it('reproduces the request and opens it', async () => {
    if (known === undefined) throw new Error('no vector');
    const pair = await keyPairOf(x25519Aes128, known.skR);
    const publicKey = await suiteOf(x25519Aes128).SerializePublicKey(pair.publicKey);
    const config = { keyId: 1, kem: 0x0020, publicKey, symmetric: [{ kdf: 1, aead: 1 }] };
    expect(known.keyConfig.startsWith(`010020${toHex(publicKey)}`)).toBe(true);
    const sending = await withEphemeral(x25519Aes128, known.skE);
    const client = await setUpRequest({ config, suite: x25519Aes128 }, chunkedLabels, sending);
    expect(toHex(requestInfo(chunkedLabels, client.header))).toBe(known.info);
    const stream = sealStream({
      prefix: concatBytes(client.header, client.enc),
      source: piecesOf(known.requestChunks),
      seal: sealRequestChunk(client.context),
    });
    const sealed = await readAll(stream);
    expect(toHex(sealed)).toBe(known.encapsulatedRequest);

    const keys = gatewayKeysFrom([{ config, pair }]);
    const reader = readerOf(sealed);
    const gateway = await openRequestContext(reader, () => keys, chunkedLabels);
    expect(toHex(gateway.enc)).toBe(known.enc);
    const limit = { bytes: 1024, code: 'CHANNEL_REQUEST_TOO_LARGE' } as const;
    const chunks = new ChunkReader({ reader, open: openRequestChunk(gateway.context), limit });
    const plaintexts: string[] = [];
    for (let part = await chunks.next(); part !== undefined; part = await chunks.next()) plaintexts.push(toHex(part));
    expect(plaintexts).toEqual(known.requestChunks.map(({ plaintext }) => plaintext));
    expect(plaintexts.join('')).toBe(known.request);

    const nonce = fromHex(known.responseNonce);
    const from = { label: chunkedLabels.response, aead: 1, enc: gateway.enc };
    const secret = await exportResponseSecret({ ...from, context: gateway.context });
    const sealing = await deriveResponseKey(secret, nonce, 'encrypt');
    const response = await readAll(
      sealStream({ prefix: nonce, source: piecesOf(known.responseChunks), seal: sealResponseChunk(sealing) }),
    );
    expect(toHex(response)).toBe(known.encapsulatedResponse);

    const ownSecret = await exportResponseSecret({ ...from, context: client.context });
    const opening = await deriveResponseKey(ownSecret, nonce, 'decrypt');
    const responseReader = new PullReader(streamSource(streamOf(response)).next, truncated);
    await responseReader.take(nonce.length);
    const answers = new ChunkReader({ reader: responseReader, open: openResponseChunk(opening), limit });
    let answer = '';
    for (let part = await answers.next(); part !== undefined; part = await answers.next()) answer += toHex(part);
    expect(answer).toBe(known.response);
  });

  it('binds the final chunk by its AAD', () => {
    expect(known?.requestChunks.at(-1)?.final).toBe(true);
    expect(toHex(utf8Encode('final'))).toBe('66696e616c');
  });
});
