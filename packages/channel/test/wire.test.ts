import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  attestationBundleSchema,
  attestationRequestSchema,
  challengeSchema,
  keyReleaseRequestSchema,
  keyReleaseResponseSchema,
  parseWire,
  parseWireJson,
} from '../src/wire/index.ts';
import { expectCode, failureOf } from './support/errors.ts';

const b32 = toBase64Url(new Uint8Array(32).fill(1));
const release = { bundle: '{}', manifest: '{}', release: '{}', approvals: [] };
const bundle = {
  format: 'fastness/attestation/v1',
  nonce: b32,
  evidence: ['application/x', 'AAAA'],
  endorsements: [['application/y', 'AAAA', 2]],
  keyConfig: 'AAAA',
  receiptKey: b32,
  release,
};
const keyRelease = {
  nonce: b32,
  enclaveNonce: b32,
  evidence: ['application/x', 'AAAA'],
  endorsements: [],
  keyConfig: 'AAAA',
  receiptKey: b32,
  releaseDigest: 'ab'.repeat(32),
};
const response = {
  sealedRoot: { enc: 'AAAA', ciphertext: 'AAAA' },
  lease: 'AAAA',
  ear: 'a.b.c',
  brokerTime: '2026-11-23T10:00:00.000Z',
};

describe('wire schemas', () => {
  it('accept what both sides send', () => {
    expect(parseWire(attestationRequestSchema, { nonce: b32 })).toEqual({ nonce: b32 });
    expect(parseWire(attestationBundleSchema, bundle)).toEqual(bundle);
    expect(parseWire(challengeSchema, { nonce: b32, expiresAt: '2026-11-23T10:00:00.000Z' }).nonce).toBe(b32);
    expect(parseWire(keyReleaseRequestSchema, { ...keyRelease, leaseId: 'a-1' }).leaseId).toBe('a-1');
    expect(parseWire(keyReleaseResponseSchema, response)).toEqual(response);
  });

  it.each([
    ['a missing member', attestationRequestSchema, {}],
    ['an unknown member', attestationRequestSchema, { nonce: b32, extra: 1 }],
    ['a short nonce', attestationRequestSchema, { nonce: toBase64Url(new Uint8Array(31)) }],
    ['a nonce with bits left over', attestationRequestSchema, { nonce: `${b32.slice(0, -1)}F` }],
    ['another format', attestationBundleSchema, { ...bundle, format: 'fastness/attestation/v2' }],
    ['evidence that is no record', attestationBundleSchema, { ...bundle, evidence: ['application/x'] }],
    [
      'too many endorsements',
      attestationBundleSchema,
      { ...bundle, endorsements: Array.from({ length: 17 }, () => ['a/b', 'AAAA']) },
    ],
    ['a large key configuration', attestationBundleSchema, { ...bundle, keyConfig: 'A'.repeat(30_000) }],
    ['padding', attestationBundleSchema, { ...bundle, keyConfig: 'AAA=' }],
    ['a digest in upper case', keyReleaseRequestSchema, { ...keyRelease, releaseDigest: 'AB'.repeat(32) }],
    ['a lease id with a line break', keyReleaseRequestSchema, { ...keyRelease, leaseId: 'a\nb' }],
    ['a time with an offset', keyReleaseResponseSchema, { ...response, brokerTime: '2026-11-23T10:00:00.000+01:00' }],
    ['a token of two parts', keyReleaseResponseSchema, { ...response, ear: 'a.b' }],
  ])('refuse %s', async (_, schema, value) => {
    await expectCode(() => parseWire<unknown>(schema, value), 'CHANNEL_WIRE_MALFORMED');
  });

  it('name the member at fault and never its value', async () => {
    const failure = await failureOf(() => parseWire(attestationRequestSchema, { nonce: 'super-secret-value' }));
    expect(failure.message).toContain('/nonce');
    expect(failure.message).not.toContain('super-secret-value');
  });

  it('are read from JSON text within a limit', async () => {
    const text = utf8Encode(JSON.stringify({ nonce: b32 }));
    expect(parseWireJson(attestationRequestSchema, text, 1024)).toEqual({ nonce: b32 });
    await expectCode(() => parseWireJson(attestationRequestSchema, text, 10), 'CHANNEL_WIRE_TOO_LARGE');
    await expectCode(() => parseWireJson(attestationRequestSchema, utf8Encode('{'), 1024), 'CHANNEL_WIRE_MALFORMED');
    await expectCode(
      () => parseWireJson(attestationRequestSchema, Uint8Array.of(0xff), 1024),
      'CHANNEL_WIRE_MALFORMED',
    );
  });
});
