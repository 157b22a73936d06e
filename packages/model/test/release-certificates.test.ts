import { der } from '@fastness/codec/der';
import { describe, expect, it, vi } from 'vitest';
import { verifyOmsBundle, type CertificateTrust } from '../src/release/index.ts';
import {
  authority,
  certSign,
  digitalSignature,
  extendedUsage,
  extension,
  keyEncipherment,
  makeCertificate,
  oids,
  type CertificateSpec,
  type Subject,
} from './certificate-support.ts';
import { expectCode, forgeBundle, makeStatement, testKey } from './release-support.ts';

const now = new Date('2026-11-23T00:00:00Z');
const root: Subject = { name: 'root', key: testKey() };
const middle: Subject = { name: 'middle', key: testKey() };
const signer = { name: 'signer', key: testKey() } satisfies Subject;
const rootCertificate = makeCertificate({ subject: root, issuer: root, extensions: [authority(), certSign] });
const middleSpec: CertificateSpec = { subject: middle, issuer: root, extensions: [authority(), certSign] };
const signerSpec: CertificateSpec = { subject: signer, issuer: middle, extensions: [digitalSignature] };

function verifyChain(
  specs: { readonly signer?: Partial<CertificateSpec>; readonly middle?: Partial<CertificateSpec> } = {},
  trust: Partial<CertificateTrust> = {},
  key = signer.key,
) {
  const certificates = [
    makeCertificate({ ...signerSpec, ...specs.signer }),
    makeCertificate({ ...middleSpec, ...specs.middle }),
  ];
  const material = {
    x509CertificateChain: {
      certificates: certificates.map((each) => ({ rawBytes: Buffer.from(each).toString('base64') })),
    },
    tlogEntries: [],
  };
  const bundle = forgeBundle({ payload: makeStatement({ file: 'content' }), keys: [key], material });
  return verifyOmsBundle({ bundle, roots: [rootCertificate], now, ...trust });
}

describe('a certificate signature', () => {
  it('is accepted through a chain to a root', async () => {
    const { signer: found } = await verifyChain();
    expect(found).toEqual({ method: 'certificate', keyId: signer.key.hint, signatureIndex: 0, commonName: 'signer' });
  });

  it('is accepted when the caller knows the intermediate and the signer left it out', async () => {
    const intermediates = [makeCertificate(middleSpec)];
    const stray: Partial<CertificateSpec> = { subject: { name: 'stray', key: testKey() } };
    await expectCode(verifyChain({ middle: stray }), 'OMS_CERTIFICATE_CHAIN');
    await verifyChain({ middle: stray }, { intermediates });
  });

  it('is accepted when code signing is the stated usage', async () => {
    await verifyChain({ signer: { extensions: [extendedUsage(oids.codeSigning, true)] } });
  });

  it('is refused when another key signed', () => expectCode(verifyChain({}, {}, testKey()), 'OMS_SIGNATURE'));

  it('is refused without the root', async () => {
    await expectCode(verifyChain({}, { roots: [] }), 'OMS_CERTIFICATE_CHAIN');
    const impostor: Subject = { name: 'root', key: testKey() };
    const sameName = makeCertificate({ subject: impostor, issuer: impostor, extensions: [authority(), certSign] });
    await expectCode(verifyChain({}, { roots: [sameName] }), 'OMS_CERTIFICATE_CHAIN');
    await verifyChain({}, { roots: [sameName, rootCertificate] });
  });

  it('is refused when a link is forged by a key of its own', async () => {
    const forged: Subject = { name: 'middle', key: testKey() };
    await expectCode(verifyChain({ signer: { issuer: forged } }), 'OMS_CERTIFICATE_CHAIN');
  });

  it('is refused, and soon, where nine certificates have issued each other and none leads to a root', async () => {
    const ring: Subject = { name: 'ring', key: testKey() };
    const others = Array.from({ length: 9 }, (_, seconds) =>
      makeCertificate({
        subject: ring,
        issuer: ring,
        extensions: [authority(), certSign],
        notAfter: new Date(Date.UTC(2027, 0, 1, 0, 0, seconds)),
      }),
    );
    const signing = makeCertificate({ ...signerSpec, issuer: ring });
    const certificates = [signing, ...others].map((each) => ({ rawBytes: Buffer.from(each).toString('base64') }));
    const bundle = forgeBundle({
      payload: makeStatement({ file: 'content' }),
      keys: [signer.key],
      material: { x509CertificateChain: { certificates }, tlogEntries: [] },
    });
    const verify = vi.spyOn(globalThis.crypto.subtle, 'verify');
    try {
      await expectCode(verifyOmsBundle({ bundle, roots: [rootCertificate], now }), 'OMS_CERTIFICATE_CHAIN');
      expect(verify.mock.calls.length).toBeLessThan(100);
    } finally {
      verify.mockRestore();
    }
  });

  it('is refused when the intermediate is no authority', async () => {
    await expectCode(verifyChain({ middle: { extensions: [certSign] } }), 'OMS_CERTIFICATE_CHAIN');
    await expectCode(verifyChain({ middle: { extensions: [authority(), digitalSignature] } }), 'OMS_CERTIFICATE_CHAIN');
  });

  it('is refused below an authority that may not issue that far down', async () => {
    const roots = [makeCertificate({ subject: root, issuer: root, extensions: [authority(0), certSign] })];
    await expectCode(verifyChain({}, { roots }), 'OMS_CERTIFICATE_CHAIN');
    await verifyChain({ middle: { extensions: [authority(0), certSign] } });
  });

  it.each([
    ['signing certificate', 'signer'],
    ['intermediate', 'middle'],
  ] as const)('is refused when the %s is out of date', async (_, which) => {
    await expectCode(verifyChain({ [which]: { notAfter: new Date('2026-11-22T23:59:58Z') } }), 'OMS_CERTIFICATE_TIME');
    await expectCode(verifyChain({ [which]: { notBefore: new Date('2026-11-23T00:00:01Z') } }), 'OMS_CERTIFICATE_TIME');
  });

  it('is judged at its own start only when asked', async () => {
    const expired = { notAfter: new Date('2026-02-01T00:00:00Z') };
    await expectCode(verifyChain({ signer: expired }), 'OMS_CERTIFICATE_TIME');
    await verifyChain({ signer: expired }, { chainValidAt: 'unattested-not-before' });
  });

  it.each([
    ['no usage at all', []],
    ['encryption', [keyEncipherment]],
    ['servers', [extendedUsage(oids.serverAuth)]],
    ['servers, though its key may sign', [digitalSignature, extendedUsage(oids.serverAuth)]],
    ['encryption, though it is for code', [keyEncipherment, extendedUsage(oids.codeSigning)]],
  ])('is refused from a certificate meant for %s', (_, extensions) =>
    expectCode(verifyChain({ signer: { extensions } }), 'OMS_CERTIFICATE_USAGE'),
  );

  it('is refused with a critical extension that nobody understands', async () => {
    const unknown = extension(oids.nameConstraints, true, der.sequence());
    await expectCode(verifyChain({ signer: { extensions: [digitalSignature, unknown] } }), 'OMS_CERTIFICATE_CHAIN');
    await expectCode(
      verifyChain({ middle: { extensions: [authority(), certSign, unknown] } }),
      'OMS_CERTIFICATE_CHAIN',
    );
  });

  it('is refused when a certificate is no certificate', async () => {
    await expectCode(verifyChain({}, { intermediates: [Uint8Array.of(1, 2, 3)] }), 'OMS_CERTIFICATE_CHAIN');
  });
});
