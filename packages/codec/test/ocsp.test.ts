import {
  basicConstraints,
  forgeCertificate,
  forgeOcspResponse,
  generateKeys,
  keyUsage,
  ocspSigning,
  type ForgedOcspAnswer,
  type ForgeCertificateOptions,
  type ForgeOcspResponseOptions,
} from '@fastness/testkit';
import { describe, expect, it } from 'vitest';
import { der } from '../src/der/index.ts';
import { FastnessError } from '../src/errors/index.ts';
import { answerFor, authorisedResponder, parseOcspResponse } from '../src/ocsp/index.ts';
import { parseCertificate, verifySignature, type Certificate } from '../src/x509/index.ts';

const now = new Date('2026-06-01T12:00:00Z');
const after = (minutes: number): Date => new Date(now.getTime() + minutes * 60_000);
const [authorityKeys, holderKeys, responderKeys] = await Promise.all([
  generateKeys('p-384'),
  generateKeys('p-256'),
  generateKeys('rsa-2048'),
]);
const issuer = { name: 'An authority', keys: authorityKeys };
const validity = { notBefore: after(-60), notAfter: after(60) };
const authority = parseCertificate(
  await forgeCertificate({
    subject: issuer.name,
    keys: authorityKeys,
    validity,
    extensions: [basicConstraints({ ca: true }), keyUsage('keyCertSign')],
  }),
);
const holder = parseCertificate(
  await forgeCertificate({ subject: 'A holder', keys: holderKeys, issuer, validity, serial: 0x8000_0001n }),
);
const responder = { name: 'A responder', keys: responderKeys };
const delegate = async (change: Partial<ForgeCertificateOptions> = {}): Promise<Uint8Array> =>
  forgeCertificate({
    subject: responder.name,
    keys: responderKeys,
    issuer,
    validity,
    extensions: [basicConstraints({ ca: false }), keyUsage('digitalSignature'), ocspSigning],
    ...change,
  });

const respond = async (
  answer: Partial<ForgedOcspAnswer> = {},
  change: Partial<ForgeOcspResponseOptions> = {},
): Promise<Uint8Array> =>
  forgeOcspResponse({
    answers: [{ serial: 0x8000_0001n, issuer, thisUpdate: after(-1), nextUpdate: after(10), ...answer }],
    responder: issuer,
    producedAt: after(-1),
    ...change,
  });

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return 'read';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}

describe('the OCSP reader', () => {
  it('reads what a response says, and what is signed', async () => {
    const nonce = new Uint8Array(32).fill(7);
    const response = parseOcspResponse(await respond({}, { nonce }));
    expect(response).toMatchObject({ producedAt: after(-1), nonce, certificates: [], responder: { kind: 'name' } });
    expect(response.answers).toMatchObject([
      { status: { kind: 'good' }, thisUpdate: after(-1), nextUpdate: after(10), id: { hash: 'SHA-1' } },
    ]);
    const { signatureAlgorithm: algorithm, signature, tbs: message } = response;
    await verifySignature({ holder: authority, algorithm, signature, message });
  });

  it('reads every status', async () => {
    const statusOf = async (status: NonNullable<ForgedOcspAnswer['status']>) =>
      parseOcspResponse(await respond({ status })).answers[0]?.status;
    expect(await statusOf('unknown')).toEqual({ kind: 'unknown' });
    expect(await statusOf({ revoked: after(-9) })).toEqual({ kind: 'revoked', date: after(-9) });
    expect(await statusOf({ revoked: after(-9), reason: 6 })).toEqual({ kind: 'revoked', date: after(-9), reason: 6 });
  });

  it.each<[string, string, Partial<ForgedOcspAnswer>, Partial<ForgeOcspResponseOptions>]>([
    ['CODEC_UNSUPPORTED', 'an error of the responder', {}, { responseStatus: 3 }],
    [
      'X509_CRITICAL_EXTENSION',
      'a critical extension',
      {},
      { extensions: [{ oid: '1.2.3', critical: true, value: der.null() }] },
    ],
    [
      'X509_DUPLICATE_EXTENSION',
      'an extension twice',
      {},
      {
        extensions: [
          { oid: '1.2.3', value: der.null() },
          { oid: '1.2.3', value: der.null() },
        ],
      },
    ],
    ['CODEC_LIMIT', 'too many certificates', {}, { certificates: Array.from({ length: 9 }, () => holder.raw) }],
    [
      'CODEC_LIMIT',
      'too many answers',
      {},
      { answers: Array.from({ length: 65 }, () => ({ serial: 1, issuer, thisUpdate: now, nextUpdate: null })) },
    ],
  ])('refuses %s: %s', async (code, _, answer, change) => {
    const response = await respond(answer, change);
    expect(await codeOf(() => parseOcspResponse(response))).toBe(code);
  });

  it('refuses what is cut short, goes on, or is too long', async () => {
    const response = await respond();
    for (let length = 0; length < response.length; length += 7) {
      expect(await codeOf(() => parseOcspResponse(response.subarray(0, length)))).toMatch(/^CODEC_/);
    }
    expect(await codeOf(() => parseOcspResponse(Uint8Array.from([...response, 0])))).toBe('CODEC_TRAILING');
    expect(await codeOf(() => parseOcspResponse(new Uint8Array(65_537)))).toBe('CODEC_LIMIT');
  });
});

describe('an answer', () => {
  it.each(['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const)('is found by hashes of %s', async (hash) => {
    const response = parseOcspResponse(await respond({ hash }));
    expect(await answerFor(response, holder, authority)).toBe(response.answers[0]);
  });

  it('about another serial, or of another issuer, is none', async () => {
    const other = { name: 'An authority', keys: holderKeys };
    const responses = [{ serial: 2 }, { issuer: other }, { issuer: { name: 'Another', keys: authorityKeys } }];
    for (const change of responses) {
      expect(await answerFor(parseOcspResponse(await respond(change)), holder, authority)).toBeUndefined();
    }
  });
});

describe('a responder', () => {
  const found = async (change: Partial<ForgeOcspResponseOptions>, at = now) =>
    authorisedResponder(parseOcspResponse(await respond({}, change)), authority, at);
  const delegated = async (change: Partial<ForgeCertificateOptions> = {}) => ({
    responder,
    certificates: [await delegate(change)],
  });

  it('is the issuer, by name or by key', async () => {
    expect(await found({})).toMatchObject({ delegated: false });
    expect(await found({ responderId: 'key' })).toMatchObject({ delegated: false });
  });

  it('is whom the issuer delegated to, by name or by key', async () => {
    const change = await delegated();
    const isResponder = ({ subject }: Certificate) => subject.commonName === responder.name;
    for (const responderId of ['name', 'key'] as const) {
      const result = await found({ ...change, responderId });
      expect(result?.delegated).toBe(true);
      expect(result === undefined ? false : isResponder(result.signer)).toBe(true);
    }
  });

  it('is nobody without the right certificate, in its time', async () => {
    const other = { name: 'Another', keys: holderKeys };
    const signs = [basicConstraints({ ca: false }), keyUsage('digitalSignature')];
    const changes: Partial<ForgeCertificateOptions>[] = [
      { issuer: other },
      { extensions: signs },
      { extensions: [...signs, { oid: '2.5.29.37', value: der.sequence(der.oid('1.3.6.1.5.5.7.3.1')) }] },
      { extensions: [basicConstraints({ ca: true }), keyUsage('digitalSignature'), ocspSigning] },
      { extensions: [keyUsage('keyAgreement'), ocspSigning] },
      { extensions: [...signs, ocspSigning, { oid: '1.2.3', critical: true, value: der.null() }] },
      { validity: { notBefore: after(1), notAfter: after(9) } },
      { subject: 'Somebody else' },
    ];
    for (const change of changes) expect(await found(await delegated(change))).toBeUndefined();
    expect(await found(await delegated(), after(61))).toBeUndefined();
    expect(await found({ responder })).toBeUndefined();
  });
});
