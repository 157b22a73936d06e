// The test vectors of docs/protocol.md, made by the code that serves: same inputs, same bytes, every time.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  gatherNonces,
  keyConfigDigestOf,
  reportDataFor,
  noReleaseDigest,
  reportDataOf,
  sessionPurposes,
  tlsCertificateNonceOf,
  tlsConnectionNonceOf,
  tlsExporterDigestOf,
  tlsKeyDigestOf,
} from '@fastness/attest';
import {
  evidenceDigestOf,
  paddedLength,
  receiptDigestOf,
  requestDigestOf,
  responseDigestOf,
  signLease,
  signReceipt,
  signSuccession,
} from '@fastness/channel';
import { concatBytes, fromBase64Url, fromHex, toHex, utf8Encode } from '@fastness/codec';
import { KEM_MLKEM768_X25519 } from '@panva/hpke-noble';
import * as hpke from 'hpke';
import { encodeKnownRequest, encodeResponseHead, encodeTrailers } from '../packages/channel/src/bhttp/encode.ts';
import { aeadAes256Gcm, kdfHkdfSha256, kemX25519, kemXWing } from '../packages/channel/src/hpke.ts';
import { encodeKeyConfigList } from '../packages/channel/src/ohttp/key-config.ts';
import { chunkedLabels, requestInfo } from '../packages/channel/src/ohttp/labels.ts';
import { sealRequestChunk, setUpRequest } from '../packages/channel/src/ohttp/request-sealer.ts';
import { sealResponseChunk } from '../packages/channel/src/ohttp/response-chunks.ts';
import { deriveResponseKey, exportResponseSecret } from '../packages/channel/src/ohttp/response-key.ts';
import { encodeVarint } from '../packages/channel/src/varint.ts';

const bytesOf = (name: string): Uint8Array => new Uint8Array(createHash('sha256').update(name).digest());

/** Every file of docs/vectors, by name. */
export async function protocolVectors(): Promise<ReadonlyMap<string, unknown>> {
  return new Map<string, unknown>([
    ['report-data.json', await reportData()],
    ['nonce-batch.json', await nonceBatch()],
    ['tls-binding.json', await tlsBinding()],
    ['signed-claims.json', await signedClaims()],
    ['padding.json', padding()],
    ['exchange-x25519.json', await exchange(kemX25519)],
    ['exchange-x-wing.json', await exchange(kemXWing)],
  ]);
}

/** Ed25519 keys of a seed: signatures are the same every time (RFC 8032). */
function signer(seed: Uint8Array) {
  const key = createPrivateKey({
    key: Buffer.concat([fromHex('302e020100300506032b657004220420'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const publicKey = new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(12));
  return { publicKey, sign: async (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, key)) };
}

async function signedClaims(): Promise<unknown> {
  const enclave = signer(bytesOf('receipt key seed'));
  const broker = signer(bytesOf('broker key seed'));
  const record = { type: 'application/vnd.example.a', value: utf8Encode('first') };
  const collection = {
    type: 'tag:example.org,2026:machine',
    records: new Map([
      ['gpu0', { type: 'application/vnd.example.b', value: utf8Encode('second') }],
      ['cpu0', record],
    ]),
  };
  const claims = {
    requestDigest: bytesOf('request'),
    responseDigest: bytesOf('response'),
    releaseDigest: bytesOf('release'),
    evidenceDigest: await evidenceDigestOf(record),
    keyConfigDigest: bytesOf('keys'),
  };
  const at = 1_795_435_200;
  const time = (seconds: number): Date => new Date(seconds * 1000);
  const first = await signReceipt({ claims: { ...claims, issuedAt: time(at), sequence: 1 }, sign: enclave.sign });
  const previous = await receiptDigestOf(first);
  const next = { ...claims, evidenceDigest: await evidenceDigestOf(collection), issuedAt: time(at + 5), sequence: 2 };
  const second = await signReceipt({ claims: { ...next, previous }, sign: enclave.sign });
  const { releaseDigest, keyConfigDigest } = claims;
  const enclaveNonce = bytesOf('enclave nonce');
  const lease = { leaseId: 'l-1', releaseDigest, keyConfigDigest, enclaveNonce, ttlSeconds: 300, issuedAt: time(at) };
  const successor = bytesOf('keys after a rotation');
  const evidenceOf = ([label, { type, value }]: readonly [string, typeof record]): object => ({
    label,
    type,
    value: toHex(value),
  });
  return {
    receiptKey: toHex(enclave.publicKey),
    brokerKey: toHex(broker.publicKey),
    requestDigest: toHex(claims.requestDigest),
    responseDigest: toHex(claims.responseDigest),
    releaseDigest: toHex(releaseDigest),
    keyConfigDigest: toHex(keyConfigDigest),
    evidence: { type: record.type, value: toHex(record.value), digest: toHex(claims.evidenceDigest) },
    collection: {
      type: collection.type,
      records: [...collection.records].map(evidenceOf),
      digest: toHex(next.evidenceDigest),
    },
    receipts: [
      { time: at, number: 1, receipt: toHex(first) },
      { time: at + 5, number: 2, receipt: toHex(second) },
    ],
    lease: {
      id: lease.leaseId,
      nonce: toHex(enclaveNonce),
      seconds: lease.ttlSeconds,
      time: at,
      token: toHex(await signLease({ claims: lease, sign: broker.sign })),
    },
    succession: {
      keyConfigDigest: toHex(successor),
      token: toHex(await signSuccession({ keyConfigDigest: successor, sign: enclave.sign })),
    },
  };
}

async function reportData(): Promise<unknown> {
  const ohttpKeyConfig = concatBytes(bytesOf('a key configuration'), bytesOf('of 64 bytes'));
  const receiptKey = bytesOf('receipt key');
  const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig, receiptKey });
  const nonce = bytesOf('nonce');
  const releaseDigest = bytesOf('release');
  const devices = new Map([
    ['gpu-1', { type: 'application/vnd.example.b', value: utf8Encode('second') }],
    ['gpu-0', { type: 'application/vnd.example.a', value: utf8Encode('first') }],
  ]);
  const deviceEvidenceDigest = await deviceEvidenceDigestOf(devices);
  const bound = [];
  for (const purpose of sessionPurposes) {
    for (const digest of [null, deviceEvidenceDigest]) {
      const fields = { purpose, nonce, keyConfigDigest, releaseDigest, deviceEvidenceDigest: digest };
      bound.push({
        purpose,
        devices: digest !== null,
        reportData: toHex(await reportDataOf(fields)),
        tpmNonce: toHex(await reportDataFor('tpm', fields)),
        deviceNonce: toHex(await deviceNonceOf(fields, 'gpu-0')),
      });
    }
  }
  return {
    ohttpKeyConfig: toHex(ohttpKeyConfig),
    receiptKey: toHex(receiptKey),
    keyConfigDigest: toHex(keyConfigDigest),
    nonce: toHex(nonce),
    releaseDigest: toHex(releaseDigest),
    devices: [...devices].map(([label, { type, value }]) => ({ label, type, value: toHex(value) })),
    deviceEvidenceDigest: deviceEvidenceDigest === null ? null : toHex(deviceEvidenceDigest),
    bound,
  };
}

async function tlsBinding(): Promise<unknown> {
  // An Ed25519 key: its SubjectPublicKeyInfo is a fixed prefix and 32 bytes, of which any will do here.
  const spki = concatBytes(fromHex('302a300506032b6570032100'), bytesOf('tls key'));
  const serial = bytesOf('serial').subarray(0, 16);
  const notBefore = new Date('2026-11-23T12:00:00Z');
  const notAfter = new Date('2026-11-24T12:00:00Z');
  const exporter = bytesOf('exporter');
  const exporterDigest = await tlsExporterDigestOf(exporter);
  const nonce = bytesOf('nonce');
  return {
    spki: toHex(spki),
    tlsKeyDigest: toHex(await tlsKeyDigestOf(spki)),
    serial: toHex(serial),
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    certificateNonce: toHex(await tlsCertificateNonceOf({ serial, notBefore, notAfter })),
    exporter: toHex(exporter),
    exporterDigest: toHex(exporterDigest),
    nonce: toHex(nonce),
    connectionNonce: toHex(await tlsConnectionNonceOf({ nonce, exporterDigest, spki })),
    noReleaseDigest: toHex(await noReleaseDigest()),
  };
}

async function nonceBatch(): Promise<unknown> {
  const batches = [];
  for (const size of [1, 2, 3, 7]) {
    const nonces = Array.from({ length: size }, (_, index) => bytesOf(`nonce ${index} of ${size}`));
    const { root, proof } = await gatherNonces(nonces);
    batches.push({
      root: toHex(root),
      size,
      nonces: nonces.map((nonce, index) => ({ nonce: toHex(nonce), index, hashes: proof(index).hashes.map(toHex) })),
    });
  }
  return batches;
}

function padding(): unknown {
  const lengths = [1, 511, 512, 513, 1024, 5000, 65_536, 65_537, 73_728, 73_729, 131_072, 131_073, 1_000_000];
  return lengths.map((length) => ({ length, padded: paddedLength(length) }));
}

interface Recipient {
  readonly suite: hpke.CipherSuite;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

async function exchange(kem: number): Promise<unknown> {
  const suiteId = { kem, kdf: kdfHkdfSha256, aead: aeadAes256Gcm };
  return withFixedRandom(`exchange ${kem}`, async () => {
    const { suite, privateKey, publicKey } = kem === kemXWing ? await xWingRecipient() : await x25519Recipient();
    const config = { keyId: 7, kem, publicKey, symmetric: [{ kdf: suiteId.kdf, aead: suiteId.aead }] };
    const { header, enc, context } = await setUpRequest({ config, suite: suiteId }, chunkedLabels, suite);

    const request = { method: 'POST', path: '/v1/chat/completions?trace=1', body: utf8Encode('{"messages":[]}') };
    const requestFields = [
      ['content-type', 'application/json'],
      ['fastness-evidence', 'A'.repeat(43)],
    ] as const;
    const plain = encodeKnownRequest({
      ...request,
      scheme: 'https',
      authority: '',
      fields: requestFields,
      content: request.body,
    });
    const padded = concatBytes(plain, new Uint8Array(paddedLength(plain.length) - plain.length));
    const requestChunks = [padded.subarray(0, 100), padded.subarray(100)];
    const sealedRequest = await sealAll(concatBytes(header, enc), requestChunks, sealRequestChunk(context));

    const secret = await exportResponseSecret({ context, label: chunkedLabels.response, aead: suiteId.aead, enc });
    const responseNonce = bytesOf('response nonce');
    const seal = sealResponseChunk(await deriveResponseKey(secret, responseNonce, 'encrypt'));
    const body = ['data: one\n\n', 'data: two\n\n', 'data: [DONE]\n\n'].map(utf8Encode);
    const responseFields = [['content-type', 'text/event-stream']] as const;
    const trailers = [['fastness-receipt', 'a receipt']] as const;
    const content = body.map((part) => concatBytes(encodeVarint(part.length), part));
    const responseChunks = [
      encodeResponseHead({ status: 200, fields: responseFields }),
      ...content,
      concatBytes(Uint8Array.of(0), encodeTrailers(trailers)),
    ];
    const sealedResponse = await sealAll(responseNonce, responseChunks, seal);
    return {
      suite: suiteId,
      keyId: config.keyId,
      privateKey: toHex(privateKey),
      publicKey: toHex(publicKey),
      keyConfigList: toHex(encodeKeyConfigList([config])),
      info: toHex(requestInfo(chunkedLabels, header)),
      enc: toHex(enc),
      request: {
        method: request.method,
        path: request.path,
        headers: requestFields,
        body: toHex(request.body),
        digest: toHex(await requestDigestOf(request)),
        plaintext: toHex(padded),
        sealed: toHex(sealedRequest),
      },
      response: {
        status: 200,
        headers: responseFields,
        body: toHex(concatBytes(...body)),
        trailers,
        digest: toHex(await responseDigestOf({ status: 200, body: concatBytes(...body) })),
        nonce: toHex(responseNonce),
        plaintext: toHex(concatBytes(...responseChunks)),
        sealed: toHex(sealedResponse),
      },
    };
  });
}

async function sealAll(
  prefix: Uint8Array,
  chunks: readonly Uint8Array[],
  seal: (plaintext: Uint8Array, final: boolean) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const parts = [prefix];
  for (const [index, chunk] of chunks.entries()) {
    const final = index === chunks.length - 1;
    const sealed = await seal(chunk, final);
    parts.push(encodeVarint(final ? 0 : sealed.length), sealed);
  }
  return concatBytes(...parts);
}

/** WebCrypto takes no randomness for X-Wing, so these come from the implementation in JavaScript. */
async function xWingRecipient(): Promise<Recipient> {
  const suite = new hpke.CipherSuite(KEM_MLKEM768_X25519, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES_256_GCM);
  const pair = await suite.GenerateKeyPair(true);
  return {
    suite,
    privateKey: await suite.SerializePrivateKey(pair.privateKey),
    publicKey: await suite.SerializePublicKey(pair.publicKey),
  };
}

async function x25519Recipient(): Promise<Recipient> {
  const kem = hpke.KEM_DHKEM_X25519_HKDF_SHA256();
  const ephemeral = await x25519Pair(kem, bytesOf('ephemeral x25519'));
  const fixed = (): hpke.KEM => ({ ...kem, GenerateKeyPair: () => Promise.resolve(ephemeral) });
  const suite = new hpke.CipherSuite(fixed, hpke.KDF_HKDF_SHA256, hpke.AEAD_AES_256_GCM);
  const privateKey = bytesOf('gateway x25519');
  const pair = await x25519Pair(kem, privateKey);
  return { suite, privateKey, publicKey: await suite.SerializePublicKey(pair.publicKey) };
}

async function x25519Pair(kem: hpke.KEM, raw: Uint8Array): Promise<hpke.KeyPair> {
  const privateKey = await kem.DeserializePrivateKey(raw, true);
  if (!(privateKey instanceof CryptoKey)) throw new TypeError('WebCrypto gave no key.');
  // The JWK of a private key holds the public one as well.
  const { x = '' } = await crypto.subtle.exportKey('jwk', privateKey);
  return { privateKey, publicKey: await kem.DeserializePublicKey(fromBase64Url(x)) };
}

/** Runs `work` with `crypto.getRandomValues` replaced by a stream that depends on `seed` alone. */
async function withFixedRandom<T>(seed: string, work: () => Promise<T>): Promise<T> {
  let counter = 0;
  const fill = <A extends ArrayBufferView>(array: A): A => {
    const view = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let offset = 0; offset < view.length; offset += 32, counter += 1) {
      view.set(bytesOf(`${seed} ${counter}`).subarray(0, view.length - offset), offset);
    }
    return array;
  };
  Object.defineProperty(globalThis.crypto, 'getRandomValues', { value: fill, configurable: true });
  try {
    return await work();
  } finally {
    Reflect.deleteProperty(globalThis.crypto, 'getRandomValues');
  }
}
