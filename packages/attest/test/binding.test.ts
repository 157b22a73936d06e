import { toHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import { keyConfigDigestOf, reportDataOf, type ReportDataFields } from '../src/index.ts';

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
