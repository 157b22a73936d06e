import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { verifyRelease } from '@fastness/model/release';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { protocolVectors } from '../../../scripts/protocol-vectors.ts';
import { makePackage, now, owner, quorum } from '../../model/test/release-package-support.ts';
import {
  hashOf,
  hkdfExpand,
  hkdfExtract,
  isSigned,
  messageDigest,
  counted,
  open,
  openChunks,
  readMessage,
  readRelease,
  Recipient,
} from './support/second-reader.ts';

const hex = z.string().transform((value) => Buffer.from(value, 'hex'));
const fields = z.array(z.tuple([z.string(), z.string()]));
const utf8 = (value: string): Buffer => Buffer.from(value, 'utf8');
const read = <T>(name: string, schema: z.ZodType<T>): T =>
  schema.parse(JSON.parse(readFileSync(new URL(`../../../docs/vectors/${name}`, import.meta.url), 'utf8')));

it('the vectors are those that `npm run vectors` writes', async () => {
  const made = await protocolVectors();
  for (const [name, content] of made)
    expect(read(name, z.unknown()), name).toEqual(JSON.parse(JSON.stringify(content)));
});

const exchangeSchema = z.object({
  suite: z.object({ kem: z.number(), kdf: z.literal(1), aead: z.literal(2) }),
  keyId: z.number(),
  privateKey: hex,
  publicKey: hex,
  keyConfigList: hex,
  info: hex,
  enc: hex,
  request: z.object({
    method: z.string(),
    path: z.string(),
    headers: fields,
    body: hex,
    digest: hex,
    plaintext: hex,
    sealed: hex,
  }),
  response: z.object({
    status: z.number(),
    headers: fields,
    body: hex,
    trailers: fields,
    digest: hex,
    nonce: hex,
    plaintext: hex,
    sealed: hex,
  }),
});

describe.each(['exchange-x25519.json', 'exchange-x-wing.json'])(
  'a reader of docs/protocol.md alone opens %s',
  (name) => {
    const known = read(name, exchangeSchema);
    const { kem } = known.suite;
    const header = Buffer.from([known.keyId, kem >> 8, kem & 0xff, 0, 1, 0, 2]);
    const recipient = (): Recipient =>
      new Recipient({ kem, privateKey: known.privateKey, enc: known.enc, info: known.info });

    it('with its key configuration and set-up', () => {
      expect(known.info).toEqual(Buffer.concat([utf8('message/bhttp chunked request\0'), header]));
      const entry = Buffer.concat([header.subarray(0, 3), known.publicKey, Buffer.from([0, 4, 0, 1, 0, 2])]);
      expect(known.keyConfigList).toEqual(
        Buffer.concat([Buffer.from([entry.length >> 8, entry.length & 0xff]), entry]),
      );
    });

    it('the request', () => {
      const { sealed, plaintext, digest, method, path, headers, body } = known.request;
      const start = header.length + known.enc.length;
      expect(sealed.subarray(0, start)).toEqual(Buffer.concat([header, known.enc]));
      const context = recipient();
      const opened = openChunks(sealed.subarray(start), (part, aad) => context.open(part, aad));
      expect(opened).toEqual(plaintext);
      expect(opened.length).toBe(512);
      expect(readMessage(opened)).toEqual({ control: [method, 'https', '', path], headers, body, trailers: [] });
      expect(messageDigest('fastness/request/v1', [method, path], body)).toEqual(digest);
    });

    it('the response, and sees a cut one', () => {
      const { sealed, plaintext, digest, nonce, status, headers, body, trailers } = known.response;
      const secret = recipient().export('message/bhttp chunked response', 32);
      const prk = hkdfExtract(Buffer.concat([known.enc, nonce]), secret);
      const key = hkdfExpand(prk, utf8('key'), 32);
      const base = hkdfExpand(prk, utf8('nonce'), 12);
      const opener = (): ((part: Buffer, aad: Buffer) => Buffer) => {
        let chunk = 0;
        return (part, aad) => open(key, counted(base, chunk++), part, aad);
      };
      expect(sealed.subarray(0, 32)).toEqual(nonce);
      const opened = openChunks(sealed.subarray(32), opener());
      expect(opened).toEqual(plaintext);
      expect(readMessage(opened)).toEqual({ control: [String(status)], headers, body, trailers });
      expect(messageDigest('fastness/response/v1', [String(status)], body)).toEqual(digest);
      expect(() => openChunks(sealed.subarray(32, -1), opener())).toThrow();
      expect(() => openChunks(sealed.subarray(32, 80), opener())).toThrow();
    });
  },
);

it('a reader of docs/protocol.md alone computes the report data', () => {
  const known = read(
    'report-data.json',
    z.object({
      ohttpKeyConfig: hex,
      receiptKey: hex,
      keyConfigDigest: hex,
      nonce: hex,
      releaseDigest: hex,
      devices: z.array(z.object({ label: z.string(), type: z.string(), value: hex })),
      deviceEvidenceDigest: hex,
      bound: z.array(
        z.object({ purpose: z.string(), devices: z.boolean(), reportData: hex, tpmNonce: hex, deviceNonce: hex }),
      ),
    }),
  );
  const { keyConfigDigest, nonce, releaseDigest } = known;
  expect(hashOf('sha256', 'fastness/key-config-digest/v1', known.ohttpKeyConfig, known.receiptKey)).toEqual(
    keyConfigDigest,
  );
  const devices = known.devices.toSorted((left, right) => (left.label < right.label ? -1 : 1));
  const parts = devices.flatMap(({ label, type, value }) => [utf8(label), utf8(type), value]);
  expect(hashOf('sha256', 'fastness/device-evidence-digest/v1', ...parts)).toEqual(known.deviceEvidenceDigest);
  expect(known.bound).toHaveLength(14);
  for (const { purpose, devices: any, reportData, tpmNonce, deviceNonce } of known.bound) {
    const session = [utf8(purpose), nonce, keyConfigDigest, releaseDigest];
    const all = [...session, any ? known.deviceEvidenceDigest : Buffer.alloc(0)];
    expect(hashOf('sha512', 'fastness/report-data/v1', ...all)).toEqual(reportData);
    expect(hashOf('sha256', 'fastness/report-data-32/v1', ...all)).toEqual(tpmNonce);
    expect(hashOf('sha256', 'fastness/device-nonce/v1', ...session, utf8('gpu-0'))).toEqual(deviceNonce);
  }
});

it('a reader of docs/protocol.md alone computes what stands for a TLS key, a certificate and a connection', () => {
  const known = read(
    'tls-binding.json',
    z.object({
      spki: hex,
      tlsKeyDigest: hex,
      serial: hex,
      notBefore: z.string(),
      notAfter: z.string(),
      certificateNonce: hex,
      exporter: hex,
      exporterDigest: hex,
      nonce: hex,
      connectionNonce: hex,
      noReleaseDigest: hex,
    }),
  );
  const { spki, serial, notBefore, notAfter, exporter, exporterDigest, nonce } = known;
  const dates = [utf8(notBefore), utf8(notAfter)];
  expect(hashOf('sha256', 'fastness/tls-key-digest/v1', spki)).toEqual(known.tlsKeyDigest);
  expect(hashOf('sha256', 'fastness/tls-certificate-nonce/v1', serial, ...dates)).toEqual(known.certificateNonce);
  expect(hashOf('sha256', 'fastness/tls-exporter-digest/v1', exporter)).toEqual(exporterDigest);
  const connection = [nonce, exporterDigest, spki];
  expect(hashOf('sha256', 'fastness/tls-connection-nonce/v1', ...connection)).toEqual(known.connectionNonce);
  expect(hashOf('sha256', 'fastness/no-release/v1')).toEqual(known.noReleaseDigest);
});

it('a reader of docs/protocol.md alone checks proofs of nonces', () => {
  const batches = read(
    'nonce-batch.json',
    z.array(
      z.object({
        root: hex,
        size: z.number(),
        nonces: z.array(z.object({ nonce: hex, index: z.number(), hashes: z.array(hex) })),
      }),
    ),
  );
  for (const { root, size, nonces } of batches) {
    expect(nonces).toHaveLength(size);
    for (const { nonce, index, hashes } of nonces) {
      const left = [...hashes];
      let top = hashOf('sha256', 'fastness/nonce-batch-leaf/v1', nonce);
      for (let place = index, width = size; width > 1; place >>= 1, width = (width + 1) >> 1) {
        if (place % 2 === 0 && place + 1 === width) continue;
        const sibling = left.shift() ?? Buffer.alloc(0);
        const pair = place % 2 === 1 ? [sibling, top] : [top, sibling];
        top = hashOf('sha256', 'fastness/nonce-batch-node/v1', ...pair);
      }
      expect(left).toEqual([]);
      expect(hashOf('sha256', 'fastness/nonce-batch-root/v1', Buffer.from([0, 0, 0, size]), top)).toEqual(root);
    }
  }
});

it('a reader of docs/protocol.md alone writes receipts, lease and succession as they are, and verifies them', () => {
  const record = z.object({ type: z.string(), value: hex });
  const token = { token: hex };
  const known = read(
    'signed-claims.json',
    z.object({
      receiptKey: hex,
      brokerKey: hex,
      requestDigest: hex,
      responseDigest: hex,
      releaseDigest: hex,
      keyConfigDigest: hex,
      evidence: record.extend({ digest: hex }),
      collection: z.object({ type: z.string(), records: z.array(record.extend({ label: z.string() })), digest: hex }),
      receipts: z.array(z.object({ time: z.number(), number: z.number(), receipt: hex })).length(2),
      lease: z.object({ id: z.string(), nonce: hex, seconds: z.number(), time: z.number(), ...token }),
      succession: z.object({ keyConfigDigest: hex, ...token }),
    }),
  );
  const { evidence, collection, receipts, lease, succession } = known;
  expect(hashOf('sha256', 'fastness/evidence/v1', utf8(evidence.type), evidence.value)).toEqual(evidence.digest);
  const records = collection.records.toSorted((left, right) => Buffer.compare(utf8(left.label), utf8(right.label)));
  const parts = records.flatMap(({ label, type, value }) => [utf8(label), utf8(type), value]);
  expect(hashOf('sha256', 'fastness/evidence-collection/v1', utf8(collection.type), ...parts)).toEqual(
    collection.digest,
  );
  const digests = [known.requestDigest, known.responseDigest, known.releaseDigest] as const;
  const [first, second] = receipts;
  for (const [receipt, of, previous] of [
    [first, evidence.digest, undefined],
    [
      second,
      collection.digest,
      createHash('sha256')
        .update(first?.receipt ?? '')
        .digest(),
    ],
  ] as const) {
    const values = [...digests, of, known.keyConfigDigest, receipt?.time ?? 0, receipt?.number ?? 0];
    const claims = [...values, ...(previous === undefined ? [] : [previous])].map(
      (value, at) => [at + 1, value] as const,
    );
    const bytes = receipt?.receipt ?? Buffer.alloc(0);
    expect(isSigned(bytes, 'receipt', claims, known.receiptKey)).toBe(true);
    // Another kind, another key and another number are each seen.
    expect(isSigned(bytes, 'lease', claims, known.receiptKey)).toBe(false);
    expect(isSigned(bytes, 'receipt', claims, known.brokerKey)).toBe(false);
    expect(isSigned(bytes, 'receipt', claims.with(6, [7, 3]), known.receiptKey)).toBe(false);
  }
  const of = [lease.id, known.releaseDigest, known.keyConfigDigest, lease.nonce, lease.seconds, lease.time];
  const leased = of.map((value, at) => [at + 1, value] as const);
  expect(isSigned(lease.token, 'lease', leased, known.brokerKey)).toBe(true);
  expect(isSigned(succession.token, 'succession', [[1, succession.keyConfigDigest]], known.receiptKey)).toBe(true);
});

it('a reader of docs/protocol.md alone takes the releases that are taken here, and no other', async () => {
  const given = makePackage();
  const keys = quorum.approvers.map(({ id, publicKey }) => [id, publicKey] as const);
  const approvers = Object.fromEntries(keys);
  const verified = await verifyRelease({ package: given, ownerKeys: [owner.spki], quorum, now });
  const seen = readRelease(given, [owner.spki], approvers);
  expect(seen.digest).toEqual(Buffer.from(verified.releaseDigest));
  expect(seen.approvedBy.toSorted()).toEqual(verified.approvedBy);
  expect(() => readRelease(given, [approvers['ada'] ?? owner.spki], approvers)).toThrow('not signed');
  expect(() => readRelease({ ...given, release: `${given.release} ` }, [owner.spki], approvers)).toThrow(
    'release.json',
  );
  const swapped = { ...approvers, ada: approvers['grace'] ?? owner.spki };
  expect(() => readRelease(given, [owner.spki], swapped)).toThrow('not signed');
});

it('a reader of docs/protocol.md alone pads as the page says', () => {
  const known = read('padding.json', z.array(z.object({ length: z.number(), padded: z.number() })));
  for (const { length, padded } of known) {
    let power = 512;
    while (power < length) power *= 2;
    const step = power / 16;
    expect(power <= 65_536 ? power : Math.ceil(length / step) * step).toBe(padded);
  }
});
