import { concatBytes, plainBytes, toHex } from '@fastness/codec/bytes';
import { decodeCbor, encodeCbor, type CborValue } from '@fastness/codec/cbor';
import { decodeSign1, encodeSign1 } from '@fastness/codec/cose';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  evidenceDigestOf,
  generateReceiptKey,
  signLease,
  signReceipt,
  verifyLease,
  verifyReceipt,
  type LeaseClaims,
  type ReceiptClaims,
  type ReceiptKey,
} from '../src/index.ts';
import { expectCode } from './support/errors.ts';

const digest = (byte: number) => new Uint8Array(32).fill(byte);
const issuedAt = new Date('2026-11-23T10:00:00Z');

const receiptClaims: ReceiptClaims = {
  requestDigest: digest(1),
  responseDigest: digest(2),
  releaseDigest: digest(3),
  evidenceDigest: digest(4),
  keyConfigDigest: digest(5),
  issuedAt,
  sequence: 6,
};

const leaseClaims: LeaseClaims = {
  leaseId: 'lease-1',
  releaseDigest: digest(3),
  keyConfigDigest: digest(5),
  enclaveNonce: digest(7),
  ttlSeconds: 600,
  issuedAt,
};

let key: ReceiptKey;
let spki: Uint8Array;

beforeAll(async () => {
  key = await generateReceiptKey();
  const publicKey = await crypto.subtle.importKey('raw', plainBytes(key.publicKey), 'Ed25519', true, ['verify']);
  spki = new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));
});

/** Signs other claims or headers with the right key, as a careless producer would. */
async function signOther(
  message: Uint8Array,
  change: { claims?: Map<number, CborValue>; header?: Map<number, CborValue>; unprotected?: Map<number, CborValue> },
) {
  const { protectedHeader, payload } = decodeSign1(message);
  return encodeSign1({
    protectedHeader: change.header ?? protectedHeader,
    unprotected: change.unprotected ?? new Map(),
    payload: change.claims === undefined ? (payload ?? new Uint8Array(0)) : encodeCbor(change.claims),
    sign: key.sign,
  });
}

function claimsOf(message: Uint8Array): Map<number, CborValue> {
  const claims = decodeCbor(decodeSign1(message).payload ?? new Uint8Array(0));
  if (!(claims instanceof Map)) throw new Error('no map');
  const copy = new Map<number, CborValue>();
  for (const [label, value] of claims as ReadonlyMap<unknown, CborValue>) copy.set(Number(label), value);
  return copy;
}

describe('a receipt', () => {
  it('is read as it was signed', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    expect(await verifyReceipt({ receipt, receiptKey: key.publicKey })).toEqual(receiptClaims);
    expect(receipt.length).toBeLessThan(400);
  });

  it('has one encoding', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    expect(toHex(await signReceipt({ claims: receiptClaims, sign: key.sign }))).toBe(toHex(receipt));
  });

  it('is refused under another key', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    const { publicKey } = await generateReceiptKey();
    await expectCode(() => verifyReceipt({ receipt, receiptKey: publicKey }), 'CHANNEL_RECEIPT_SIGNATURE');
    await expectCode(() => verifyReceipt({ receipt, receiptKey: publicKey.subarray(1) }), 'CHANNEL_RECEIPT_SIGNATURE');
  });

  it('is refused when its signature or payload was changed', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    const payloadAt = receipt.findIndex((byte, at) => byte === 1 && receipt[at + 1] === 1 && receipt[at + 2] === 1);
    for (const at of [receipt.length - 1, payloadAt]) {
      const changed = receipt.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expectCode(
        () => verifyReceipt({ receipt: changed, receiptKey: key.publicKey }),
        'CHANNEL_RECEIPT_SIGNATURE',
      );
    }
  });

  it('is refused when a claim is missing, extra or of another kind', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    for (let label = 1; label <= 8; label += 1) {
      const claims = claimsOf(receipt);
      if (!claims.delete(label)) claims.set(label, 1);
      const other = await signOther(receipt, { claims });
      await expectCode(() => verifyReceipt({ receipt: other, receiptKey: key.publicKey }), 'CHANNEL_RECEIPT_MALFORMED');
      claims.set(label, 'text');
      const text = await signOther(receipt, { claims });
      await expectCode(() => verifyReceipt({ receipt: text, receiptKey: key.publicKey }), 'CHANNEL_RECEIPT_MALFORMED');
    }
  });

  it('is refused with other headers, trailing bytes, or more bytes than any receipt', async () => {
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    const others = [
      await signOther(receipt, { unprotected: new Map([[4, 'key']]) }),
      await signOther(receipt, { header: new Map([[1, -19]]) }),
      concatBytes(receipt, Uint8Array.of(0)),
      new Uint8Array(5000),
      new Uint8Array(0),
    ];
    for (const other of others) {
      await expectCode(() => verifyReceipt({ receipt: other, receiptKey: key.publicKey }), 'CHANNEL_RECEIPT_MALFORMED');
    }
  });

  it('cannot be a lease, nor a lease a receipt', async () => {
    const lease = await signLease({ claims: leaseClaims, sign: key.sign });
    await expectCode(() => verifyReceipt({ receipt: lease, receiptKey: key.publicKey }), 'CHANNEL_RECEIPT_MALFORMED');
    const receipt = await signReceipt({ claims: receiptClaims, sign: key.sign });
    const options = { lease: receipt, brokerKey: spki, expected: leaseClaims };
    await expectCode(() => verifyLease(options), 'CHANNEL_LEASE_MALFORMED');
  });
});

describe('a lease', () => {
  it('is read as it was signed', async () => {
    const lease = await signLease({ claims: leaseClaims, sign: key.sign });
    expect(await verifyLease({ lease, brokerKey: spki, expected: leaseClaims })).toEqual(leaseClaims);
  });

  it.each(['releaseDigest', 'keyConfigDigest', 'enclaveNonce'] as const)('is refused for another %s', async (field) => {
    const lease = await signLease({ claims: leaseClaims, sign: key.sign });
    const expected = { ...leaseClaims, [field]: digest(99) };
    await expectCode(() => verifyLease({ lease, brokerKey: spki, expected }), 'CHANNEL_LEASE_MISMATCH');
  });

  it('is refused for another lease id', async () => {
    const lease = await signLease({ claims: leaseClaims, sign: key.sign });
    const expected = { ...leaseClaims, leaseId: 'lease-2' };
    await expectCode(() => verifyLease({ lease, brokerKey: spki, expected }), 'CHANNEL_LEASE_MISMATCH');
  });

  it('is refused under another key', async () => {
    const lease = await signLease({ claims: leaseClaims, sign: (await generateReceiptKey()).sign });
    await expectCode(() => verifyLease({ lease, brokerKey: spki, expected: leaseClaims }), 'CHANNEL_LEASE_SIGNATURE');
  });

  it.each([
    { ttlSeconds: 0 },
    { ttlSeconds: 31 * 24 * 3600 },
    { ttlSeconds: 1.5 },
    { leaseId: '' },
    { leaseId: 'a b' },
    { enclaveNonce: new Uint8Array(31) },
  ])('is not signed with %o', async (part) => {
    await expectCode(
      () => signLease({ claims: { ...leaseClaims, ...part }, sign: key.sign }),
      'CHANNEL_LEASE_MALFORMED',
    );
  });
});

describe('the digest of evidence', () => {
  it('depends on type and value, and on where one ends and the other begins', async () => {
    const digests = await Promise.all(
      [
        { type: 'a/b', value: Uint8Array.of(1) },
        { type: 'a/c', value: Uint8Array.of(1) },
        { type: 'a/b', value: Uint8Array.of(2) },
        { type: 'a/b\u0001', value: new Uint8Array(0) },
      ].map(async (evidence) => toHex(await evidenceDigestOf(evidence))),
    );
    expect(new Set(digests).size).toBe(4);
  });

  it('of a collection depends on its type and on every record, but not on their order', async () => {
    const [cpu, gpu] = [1, 2].map((byte) => ({ type: 'a/b', value: Uint8Array.of(byte) }));
    if (cpu === undefined || gpu === undefined) throw new Error('two records');
    const digest = async (records: [string, typeof cpu][], type?: string) =>
      toHex(await evidenceDigestOf({ ...(type === undefined ? {} : { type }), records: new Map(records) }));
    const both = await digest([
      ['cpu0', cpu],
      ['gpu0', gpu],
    ]);
    const sorted = await digest([
      ['gpu0', gpu],
      ['cpu0', cpu],
    ]);
    expect(sorted).toBe(both);
    const others = await Promise.all([
      digest([['cpu0', cpu]]),
      digest([['cpu0', cpu]], 'a:b'),
      digest([
        ['cpu0', gpu],
        ['gpu0', cpu],
      ]),
      evidenceDigestOf(cpu).then((bytes) => toHex(bytes)),
    ]);
    expect(new Set([both, ...others]).size).toBe(5);
  });
});
