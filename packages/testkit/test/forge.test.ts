import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { verifyEvidence, type AttestationPolicy, type TrustAnchors } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import {
  checkCrlWindow,
  checkNotRevoked,
  parseCertificate,
  parseCrl,
  verifyChain,
  verifySignedBy,
} from '@fastness/codec/x509';
import {
  forgeAmdChain,
  forgedProducts,
  forgeSnpReport,
  generateKeys,
  sharedKeys,
  signWith,
  snpEndorsements,
  snpEvidence,
  type ForgedAmdChain,
  type ForgedProduct,
} from '@fastness/testkit';
import { describe, expect, test } from 'vitest';
import { expectCode } from './support.ts';

const now = new Date('2026-06-15T12:00:00Z');
const products: ForgedProduct[] = ['Milan', 'Genoa', 'Turin'];
const combinations = products.flatMap((product) => (['vcek', 'vlek'] as const).map((kind) => ({ product, kind })));
const reportData = Uint8Array.from({ length: 64 }, (_, index) => index);
const measurement = new Uint8Array(48).fill(7);

/** Node's own X.509 and ECDSA, so that forge and reader cannot share a mistake. */
function verifiesElsewhere(chain: ForgedAmdChain, report: Uint8Array): boolean {
  const [leaf, intermediate, ark] = chain.certificates.map((der) => new X509Certificate(der));
  if (leaf === undefined || intermediate === undefined || ark === undefined) return false;
  const signature = Buffer.concat([report.slice(0x2a0, 0x2d0).toReversed(), report.slice(0x2e8, 0x318).toReversed()]);
  const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' as const };
  return (
    ark.verify(ark.publicKey) &&
    intermediate.verify(ark.publicKey) &&
    leaf.verify(intermediate.publicKey) &&
    intermediate.checkIssued(ark) &&
    verify('sha384', report.subarray(0, 0x2a0), key, signature)
  );
}

function policyFor({ product, kind }: { product: ForgedProduct; kind: 'vcek' | 'vlek' }): AttestationPolicy {
  return {
    version: 1,
    id: 'test',
    snp: {
      products: [product],
      signingKeys: [kind],
      vmpl: [0],
      measurements: [toHex(measurement)],
      minimumTcb: {},
      smt: 'allow',
    },
    waivers: [],
  };
}

function anchorsFor(chain: ForgedAmdChain): TrustAnchors {
  const { product, arkSpkiSha256 } = chain;
  return { snp: [{ name: `ARK-${product}`, product, spkiSha256: arkSpkiSha256, certificateSha256: '', source: '' }] };
}

describe.each(combinations)('a forged $product chain with a $kind', ({ product, kind }) => {
  test('verifies with this reader and with another', async () => {
    const chain = await forgeAmdChain({ product, kind, now });
    const certificates = chain.certificates.map((der) => parseCertificate(der));
    await verifyChain({ chain: certificates, now });
    const [leaf, , ark] = certificates;
    const crl = parseCrl(chain.crl);
    if (leaf === undefined || ark === undefined) throw new Error('three certificates expected');
    await verifySignedBy(crl, ark);
    checkCrlWindow(crl, now);
    expect(ark.subject.commonName).toBe(`ARK-${product}`);
    expect(leaf.extensions.size).toBe(11);
    for (const version of [2, 3, 4, 5]) {
      expect(verifiesElsewhere(chain, await forgeSnpReport({ chain, version, reportData }))).toBe(true);
    }
  });
  test.each([2, 3, 4, 5])('is accepted by the verifier, report version %d', async (version) => {
    const chain = await forgeAmdChain({ product, kind, now });
    const report = await forgeSnpReport({ chain, version, reportData, measurement });
    const { claims } = await verifyEvidence({
      evidence: snpEvidence({ report }),
      endorsements: [snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] })],
      policy: policyFor({ product, kind }),
      anchors: anchorsFor(chain),
      expectedReportData: reportData,
      now,
    });
    expect(claims).toMatchObject({ product, signingKey: kind, simulated: false, measurement: toHex(measurement) });
    expect(claims).toHaveProperty('tcb.reported', forgedProducts[product].tcb);
  });
});

describe('the forge', () => {
  test('writes every field where it is told to', async () => {
    const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
    const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
    const report = await forgeSnpReport({
      chain,
      version: 4,
      guestSvn: 2,
      policy: 3n,
      familyId: fill(16, 4),
      imageId: fill(16, 5),
      vmpl: 6,
      signatureAlgorithm: 7,
      currentTcb: fill(8, 8),
      platformInfo: 9n,
      flags: 10,
      reportData: fill(64, 11),
      measurement: fill(48, 12),
      hostData: fill(32, 13),
      idKeyDigest: fill(48, 14),
      authorKeyDigest: fill(48, 15),
      reportId: fill(32, 16),
      reportIdMa: fill(32, 17),
      reportedTcb: { bootloader: 18, tee: 19, snp: 20, microcode: 21 },
      cpuid: { family: 22, model: 23, stepping: 24 },
      chipId: fill(64, 25),
      committedTcb: fill(8, 26),
      currentFirmware: { build: 27, minor: 28, major: 29 },
      committedFirmware: { build: 30, minor: 31, major: 32 },
      launchTcb: fill(8, 33),
      launchMitigations: 34n,
      currentMitigations: 35n,
    });
    const at = (offset: number, length: number): string => toHex(report.subarray(offset, offset + length));
    expect(report).toHaveLength(1184);
    expect([at(0, 8), at(8, 8), at(0x30, 8)]).toEqual(['0400000002000000', '0300000000000000', '0600000007000000']);
    expect([at(0x10, 32), at(0x38, 16), at(0x48, 4)]).toEqual([
      '04'.repeat(16) + '05'.repeat(16),
      `${'08'.repeat(8)}0900000000000000`,
      '0a000000',
    ]);
    expect(at(0x50, 64)).toBe('0b'.repeat(64));
    expect(at(0x90, 48 + 32 + 48 + 48)).toBe('0c'.repeat(48) + '0d'.repeat(32) + '0e'.repeat(48) + '0f'.repeat(48));
    expect(at(0x140, 64)).toBe('10'.repeat(32) + '11'.repeat(32));
    expect(at(0x180, 0x20)).toBe(`1213000000001415161718${'00'.repeat(21)}`);
    expect(at(0x1a0, 64)).toBe('19'.repeat(64));
    expect(at(0x1e0, 0x30)).toBe(
      `${'1a'.repeat(8)}1b1c1d001e1f2000${'21'.repeat(8)}22${'00'.repeat(7)}23${'00'.repeat(7)}${'00'.repeat(8)}`,
    );
  });
  test('its hooks break one thing at a time', async () => {
    const chain = await forgeAmdChain({
      product: 'Genoa',
      kind: 'vcek',
      now,
      crl: { revoked: [{ serial: 0x2_0001, date: now }] },
    });
    const [, intermediate] = chain.certificates.map((der) => parseCertificate(der));
    await expectCode('X509_REVOKED', () => intermediate && checkNotRevoked(intermediate, parseCrl(chain.crl)));
    const edited = await forgeSnpReport({ chain, edit: (report) => void (report[0x60] = 1) });
    expect([verifiesElsewhere(chain, edited), edited[0x60]]).toEqual([true, 1]);
    const tampered = await forgeSnpReport({ chain, tamper: (report) => void (report[0x60] = 1) });
    expect(verifiesElsewhere(chain, tampered)).toBe(false);
    expect(await forgeSnpReport({ chain, tamper: (report) => report.subarray(1) })).toHaveLength(1183);
    const signWithOther = await forgeSnpReport({ chain, signWith: await generateKeys('p-384') });
    expect(verifiesElsewhere(chain, signWithOther)).toBe(false);
    const later = parseCrl(await chain.issueCrl({ number: 2, nextUpdate: null }));
    expect(later.nextUpdate).toBeUndefined();
  });
  test('refuses what it cannot write', async () => {
    const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
    await expectCode('TESTKIT_OPTION', () => forgeSnpReport({ chain, reportData: new Uint8Array(63) }));
    await expectCode('TESTKIT_OPTION', () =>
      forgeAmdChain({ product: 'Turin', kind: 'vcek', now, hwid: new Uint8Array(64) }),
    );
    const keys = await generateKeys('p-256');
    await expectCode('TESTKIT_OPTION', () => signWith(keys, { kind: 'ed25519' }, new Uint8Array()));
  });
  test('keeps shared keys and makes others anew', async () => {
    expect(await sharedKeys('a', 'p-256')).toBe(await sharedKeys('a', 'p-256'));
    expect(await sharedKeys('a', 'p-256')).not.toBe(await sharedKeys('b', 'p-256'));
    const { spki } = await generateKeys('p-521');
    expect(createPublicKey({ key: Buffer.from(spki), type: 'spki', format: 'der' }).asymmetricKeyType).toBe('ec');
  });
});
