import { toHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  keyConfigDigestOf,
  reportDataFor,
  reportDataOf,
  type Cmw,
  type ReportDataFields,
} from '../src/index.ts';

const bytes = (value: number, length = 32) => new Uint8Array(length).fill(value);
const fields: ReportDataFields = {
  purpose: 'client',
  nonce: bytes(1),
  keyConfigDigest: bytes(2),
  releaseDigest: bytes(3),
  deviceEvidenceDigest: null,
};

describe('reportDataOf', () => {
  it('is the documented hash', async () => {
    const text = (value: string) => new TextEncoder().encode(value);
    const parts = [text('fastness/report-data/v1'), text('client'), bytes(1), bytes(2), bytes(3), new Uint8Array(0)];
    const framed: number[] = [];
    for (const part of parts) framed.push(0, 0, 0, part.length, ...part);
    const expected = new Uint8Array(await crypto.subtle.digest('SHA-512', Uint8Array.from(framed)));
    expect(toHex(await reportDataOf(fields))).toBe(toHex(expected));
  });

  it('changes with every field', async () => {
    const variants: ReportDataFields[] = [
      fields,
      { ...fields, purpose: 'key-release' },
      { ...fields, nonce: bytes(9) },
      { ...fields, keyConfigDigest: bytes(9) },
      { ...fields, releaseDigest: bytes(9) },
      { ...fields, deviceEvidenceDigest: bytes(0) },
      { ...fields, nonce: bytes(2), keyConfigDigest: bytes(1) },
    ];
    const digests = await Promise.all(variants.map(async (variant) => toHex(await reportDataOf(variant))));
    expect(new Set(digests).size).toBe(variants.length);
    expect(digests.every((digest) => digest.length === 128)).toBe(true);
  });

  it.each([
    ['nonce', { nonce: bytes(1, 31) }],
    ['keyConfigDigest', { keyConfigDigest: bytes(1, 33) }],
    ['releaseDigest', { releaseDigest: new Uint8Array(0) }],
    ['deviceEvidenceDigest', { deviceEvidenceDigest: new Uint8Array(0) }],
  ])('refuses a wrong %s', async (_, change) => {
    await expect(reportDataOf({ ...fields, ...change })).rejects.toMatchObject({ code: 'ATTEST_BINDING_INPUT' });
  });
});

describe('reportDataOf, called from JavaScript', () => {
  it('refuses an unknown purpose', async () => {
    const wrong = { ...fields };
    Reflect.set(wrong, 'purpose', 'anything');
    await expect(reportDataOf(wrong)).rejects.toMatchObject({ code: 'ATTEST_BINDING_INPUT' });
  });
});

describe('keyConfigDigestOf', () => {
  it('tells keys apart, wherever the border between them lies', async () => {
    const digest = await keyConfigDigestOf({ ohttpKeyConfig: bytes(1, 40), receiptKey: bytes(2) });
    expect(digest).toHaveLength(32);
    const other = await keyConfigDigestOf({ ohttpKeyConfig: bytes(1, 41), receiptKey: bytes(2) });
    expect(toHex(other)).not.toBe(toHex(digest));
  });

  it.each([
    { ohttpKeyConfig: new Uint8Array(0), receiptKey: bytes(2) },
    { ohttpKeyConfig: new Uint8Array(65_537), receiptKey: bytes(2) },
    { ohttpKeyConfig: bytes(1), receiptKey: bytes(2, 31) },
  ])('refuses missing and oversized keys', async (keys) => {
    await expect(keyConfigDigestOf(keys)).rejects.toMatchObject({ code: 'ATTEST_BINDING_INPUT' });
  });
});

describe('reportDataFor', () => {
  it('is the report data, or 32 bytes under a label of its own where the evidence is a quote of a TPM', async () => {
    const whole = toHex(await reportDataOf(fields));
    expect(toHex(await reportDataFor('sev-snp', fields))).toBe(whole);
    expect(toHex(await reportDataFor('arm-cca', fields))).toBe(whole);
    const short = toHex(await reportDataFor('azure-vtpm', fields));
    expect(short).toHaveLength(64);
    expect(short).not.toBe(whole.slice(0, 64));
    expect(toHex(await reportDataFor('gcp-vtpm', fields))).toBe(short);
    expect(toHex(await reportDataFor('gcp-vtpm', { ...fields, deviceEvidenceDigest: bytes(4) }))).not.toBe(short);
  });
});

describe('deviceNonceOf', () => {
  it('changes with every field and with the label', async () => {
    const { deviceEvidenceDigest: _, ...session } = fields;
    const nonces = await Promise.all([
      deviceNonceOf(session, 'gpu0'),
      deviceNonceOf(session, 'gpu1'),
      deviceNonceOf({ ...session, purpose: 'key-release' }, 'gpu0'),
      deviceNonceOf({ ...session, nonce: bytes(9) }, 'gpu0'),
      deviceNonceOf({ ...session, keyConfigDigest: bytes(9) }, 'gpu0'),
      deviceNonceOf({ ...session, releaseDigest: bytes(9) }, 'gpu0'),
    ]);
    expect(new Set(nonces.map((nonce) => toHex(nonce))).size).toBe(nonces.length);
    expect(nonces.every((nonce) => nonce.length === 32)).toBe(true);
  });
});

describe('deviceEvidenceDigestOf', () => {
  const record = (value: number, type = 'a/b'): Cmw => ({ type, value: Uint8Array.of(value) });
  const digest = async (...entries: readonly (readonly [string, Cmw])[]) => {
    const value = await deviceEvidenceDigestOf(new Map(entries));
    return value === null ? null : toHex(value);
  };

  it('is null without devices, so that none and some are told apart', async () => {
    expect(await digest()).toBeNull();
  });

  it('does not depend on the order, and on everything else', async () => {
    const both = await digest(['gpu0', record(1)], ['gpu1', record(2)]);
    expect(await digest(['gpu1', record(2)], ['gpu0', record(1)])).toBe(both);
    const others = await Promise.all([
      digest(['gpu0', record(2)], ['gpu1', record(1)]),
      digest(['gpu0', record(1)]),
      digest(['gpu0', record(1)], ['gpu2', record(2)]),
      digest(['gpu0', record(1)], ['gpu1', record(2, 'a/c')]),
      digest(['gpu0', record(1)], ['gpu1', record(2)], ['gpu2', record(3)]),
    ]);
    expect(new Set([both, ...others]).size).toBe(others.length + 1);
  });
});
