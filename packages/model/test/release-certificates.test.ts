import { der } from '@fastness/codec/der';
import { describe, expect, it } from 'vitest';
import { verifyOmsBundle, type CertificateTrust } from '../src/release/index.ts';
import { expectCode, forgeBundle, makeStatement, testKey, type TestKey } from './release-support.ts';

const from = new Date('2026-01-01T00:00:00Z');
const until = new Date('2027-01-01T00:00:00Z');
const now = new Date('2026-11-23T00:00:00Z');
const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  nameConstraints: '2.5.29.30',
};

interface Subject {
  readonly name: string;
  readonly key: TestKey;
}

interface CertificateSpec {
  readonly subject: Subject;
  readonly issuer: Subject;
  readonly extensions: readonly Uint8Array[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const extension = (oid: string, critical: boolean, value: Uint8Array) =>
  der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octetString(value));
const authority = (pathLength?: number) =>
  extension(
    oids.basicConstraints,
    true,
    der.sequence(der.boolean(true), ...(pathLength === undefined ? [] : [der.integer(pathLength)])),
  );
/** Bit 0 of the key usage is digitalSignature, bit 5 keyCertSign. */
const certSign = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(2, 0x04)));
const digitalSignature = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(7, 0x80)));
const keyEncipherment = extension(oids.keyUsage, true, der.tagged(3, Uint8Array.of(5, 0x20)));
const extendedUsage = (oid: string, critical = false) =>
  extension(oids.extendedKeyUsage, critical, der.sequence(der.oid(oid)));

function makeCertificate({ subject, issuer, extensions, notBefore = from, notAfter = until }: CertificateSpec) {
  const name = (text: string) => der.sequence(der.set(der.sequence(der.oid(oids.commonName), der.utf8String(text))));
  const algorithm = der.sequence(der.oid(oids.ecdsaWithSha256));
  const tbs = der.sequence(
    der.explicit(0, der.integer(2)),
    der.integer(7),
    algorithm,
    name(issuer.name),
    der.sequence(der.time(notBefore), der.time(notAfter)),
    name(subject.name),
    subject.key.spki,
    ...(extensions.length === 0 ? [] : [der.explicit(3, der.sequence(...extensions))]),
  );
  return der.sequence(tbs, algorithm, der.bitString(issuer.key.sign(tbs)));
}

const root: Subject = { name: 'root', key: testKey() };
const middle: Subject = { name: 'middle', key: testKey() };
const signer: Subject = { name: 'signer', key: testKey() };
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
