import { der } from '@fastness/codec/der';
import {
  checkCriticalExtensions,
  checkCrlWindow,
  checkNotRevoked,
  checkValidity,
  parseCertificate,
  parseCrl,
  verifyChain,
  verifySignature,
  verifySignedBy,
} from '@fastness/codec/x509';
import { basicConstraints, generateKeys, keyUsage } from '@fastness/testkit';
import { describe, expect, test } from 'vitest';
import { expectCode } from './support.ts';
import { authority, ca, caExtensions, issue, leafKeys, list, now, rsa } from './x509-fixture.ts';

const otherKeys = await generateKeys('p-384');
const child = parseCertificate(await issue());
const root = await authority({
  subject: 'root',
  extensions: [basicConstraints({ ca: true, pathLength: 0 }), keyUsage('keyCertSign')],
});
const rootIssuer = { name: 'root', keys: ca.keys };
const middle = parseCertificate(await issue({ subject: 'middle', issuer: rootIssuer, extensions: caExtensions }));
const below = parseCertificate(await issue({ issuer: { name: 'middle', keys: leafKeys }, subject: 'below' }));
const direct = parseCertificate(await issue({ issuer: rootIssuer }));

describe('who may issue', () => {
  test.each([
    ['another name', { subject: 'CB' }, 'X509_ISSUER_NAME'],
    ['no basic constraints', { extensions: [keyUsage('keyCertSign')] }, 'X509_NOT_CA'],
    ['no authority', { extensions: [basicConstraints({ ca: false })] }, 'X509_NOT_CA'],
    ['another key usage', { extensions: [basicConstraints({ ca: true }), keyUsage('cRLSign')] }, 'X509_KEY_USAGE'],
    [
      'an unknown critical extension',
      { extensions: [...caExtensions, { oid: '2.5.29.30', critical: true, value: der.sequence() }] },
      'X509_CRITICAL_EXTENSION',
    ],
    ['another key of the kind', { keys: otherKeys }, 'X509_SIGNATURE'],
    ['a key on another curve', { keys: leafKeys }, 'X509_SIGNATURE'],
    ['a key of another kind', { keys: rsa }, 'X509_KEY'],
  ] as const)('not one with %s', async (_, changes, code) => {
    const issuer = await authority(changes);
    await expectCode(code, () => verifySignedBy(child, issuer));
  });
  test('without key usage an authority may sign both', async () => {
    const issuer = await authority({ extensions: [basicConstraints({ ca: true })] });
    await verifySignedBy(child, issuer);
    await verifySignedBy(parseCrl(await list()), issuer);
  });
  test('a list needs cRLSign', async () => {
    const issuer = await authority({ extensions: [basicConstraints({ ca: true }), keyUsage('keyCertSign')] });
    const crl = parseCrl(await list());
    await expectCode('X509_KEY_USAGE', () => verifySignedBy(crl, issuer));
  });
  test('a signature that is no DER does not hold', async () => {
    const algorithm = { kind: 'ecdsa', hash: 'SHA-384' } as const;
    const wrong = { holder: await authority(), algorithm, signature: new Uint8Array(96), message: child.tbs };
    await expectCode('X509_SIGNATURE', () => verifySignature(wrong));
  });
});

describe('time and revocation', () => {
  test('validity includes both ends', async () => {
    const certificate = parseCertificate(await issue());
    for (const text of ['2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.999Z'])
      checkValidity(certificate, new Date(text));
    await expectCode('X509_NOT_YET_VALID', () => checkValidity(certificate, new Date('2025-12-31T23:59:59.999Z')));
    await expectCode('X509_EXPIRED', () => checkValidity(certificate, new Date('2027-01-01T00:00:01Z')));
    await expectCode('CODEC_VALUE', () => checkValidity(certificate, new Date(Number.NaN)));
  });
  test('a list has a window', async () => {
    const crl = parseCrl(await list());
    checkCrlWindow(crl, now);
    await expectCode('X509_CRL_NOT_YET_VALID', () => checkCrlWindow(crl, new Date('2025-12-31T00:00:00Z')));
    await expectCode('X509_CRL_STALE', () => checkCrlWindow(crl, new Date('2027-01-02T00:00:00Z')));
    const open = parseCrl(await list({ nextUpdate: null }));
    await expectCode('X509_CRL_NO_NEXT_UPDATE', () => checkCrlWindow(open, now));
  });
  test('a list names what it revokes', async () => {
    const crl = parseCrl(
      await list({
        revoked: [
          { serial: 5, date: now, reason: 1 },
          { serial: 300n, date: now },
        ],
      }),
    );
    expect(crl.revoked).toEqual([
      { serial: Uint8Array.of(5), date: now, reason: 1 },
      { serial: Uint8Array.of(1, 44), date: now },
    ]);
    await verifySignedBy(crl, await authority());
    const revoked = parseCertificate(await issue({ serial: 300 }));
    await expectCode('X509_REVOKED', () => checkNotRevoked(revoked, crl));
    checkNotRevoked(parseCertificate(await issue({ serial: 6 })), crl);
    const foreign = parseCrl(await list({ issuer: { name: 'CB', keys: ca.keys } }));
    await expectCode('X509_ISSUER_NAME', () => checkNotRevoked(revoked, foreign));
  });
  test('a list that was tampered with does not hold', async () => {
    const crl = parseCrl(
      await list({
        tamper: { afterSigning: (tbs) => tbs.map((byte, index) => (index === tbs.length - 1 ? byte ^ 1 : byte)) },
      }),
    );
    const issuer = await authority();
    await expectCode('X509_SIGNATURE', () => verifySignedBy(crl, issuer));
  });
  test('critical extensions of a list are refused', async () => {
    const bytes = await list({ extensions: [{ oid: '2.5.29.28', critical: true, value: der.sequence() }] });
    await expectCode('X509_CRITICAL_EXTENSION', () => parseCrl(bytes));
    await expectCode('X509_VERSION', async () => parseCrl(await issue()));
  });
});

describe('chains', () => {
  test('hold within their path length', async () => {
    await verifyChain({ chain: [direct, root], now });
    await expectCode('X509_PATH_LENGTH', () => verifyChain({ chain: [below, middle, root], now }));
  });
  test('check dates, order, length and critical extensions', async () => {
    await expectCode('X509_EXPIRED', () => verifyChain({ chain: [direct, root], now: new Date('2028-01-01') }));
    await expectCode('X509_ISSUER_NAME', () => verifyChain({ chain: [root, direct], now }));
    await expectCode('CODEC_LIMIT', () => verifyChain({ chain: [], now }));
    await expectCode('CODEC_LIMIT', () => verifyChain({ chain: Array.from({ length: 9 }, () => root), now }));
    const critical = { oid: '1.2.3', critical: true, value: new Uint8Array() };
    const leaf = parseCertificate(await issue({ issuer: rootIssuer, extensions: [critical] }));
    await expectCode('X509_CRITICAL_EXTENSION', () => verifyChain({ chain: [leaf, root], now }));
    await verifyChain({ chain: [leaf, root], now, understood: ['1.2.3'] });
    checkCriticalExtensions(leaf, ['1.2.3']);
  });
});
