import { describe, expect, it } from 'vitest';
import { parseAttestationPolicy, tcbStatuses, vendorAnchors, verifyEvidence, type Cmw } from '@fastness/attest';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { encodePem, fromHex, toHex } from '@fastness/codec/bytes';
import { parseCertificate } from '@fastness/codec/x509';
import { fakeKds, fakePcs } from '@fastness/testkit/services';
import { completeEndorsements, pccsServices } from '../src/endorsements/index.ts';
import { dcapCases, wrapDcap, type DcapCase } from '../../attest/test/support/dcap-cases.ts';
import { crlsOf, fieldOf, snpCases, wrap, type SnpCase } from '../../attest/test/support/snp-cases.ts';
import { vectorsPresent } from '../../attest/test/support/vectors.ts';
import { codeOf, fake, sourceFor } from './support/endorsements.ts';

// Material of the vendors' own keys, recorded outside the project, served by the fakes and judged by the vendors' pins.

const pem = (ders: readonly Uint8Array[]): string => ders.map((der) => encodePem(der, 'CERTIFICATE')).join('');
const nameOf = (der: Uint8Array): string => parseCertificate(der).subject.commonName ?? '';

const recordedSnp = vectorsPresent
  ? snpCases.filter(({ verdict, certificates }) => verdict === 'accept' && certificates().length >= 3)
  : [];
const recordedDcap = vectorsPresent
  ? dcapCases.filter(
      ({ collateral, noCrl, verdict }) =>
        collateral !== undefined &&
        noCrl !== true &&
        !/CERTIFICATE|TRAILING/.test(verdict) &&
        // No service knows the samples of Intel's library, nor the roots they end in.
        collateral().pckCertificateChain === undefined,
    )
  : [];

/** AMD's service with what was recorded for one report. */
async function kdsOf(testCase: SnpCase) {
  const { product, signingKey: kind = 'vcek' } = testCase;
  if (product === 'Turin') throw new Error('no list of Turin was recorded');
  const report = testCase.report();
  const certificates = testCase.certificates();
  const leaf = certificates.find((der) => nameOf(der) === `SEV-${kind.toUpperCase()}`);
  const issuer = `SEV-${kind === 'vlek' ? 'VLEK-' : ''}${product}`;
  const chain = [issuer, `ARK-${product}`].flatMap((name) =>
    certificates.filter((der) => nameOf(der) === name).slice(0, 1),
  );
  const [bootloader = 0, tee = 0, , , , , snp = 0, microcode = 0] = fieldOf(report, 'reportedTcb');
  const hwid = toHex(fieldOf(report, 'chipId'));
  const service = await fake(
    fakeKds([
      {
        product,
        kind,
        chain: pem(chain),
        crl: crlsOf()[product],
        vceks: leaf === undefined ? [] : [{ hwid, tcb: { bootloader, tee, snp, microcode }, certificate: leaf }],
      },
    ]),
  );
  return { service, kind, leaf };
}

describe.skipIf(!vectorsPresent)('recorded endorsements of AMD, served by a fake', () => {
  it.each(recordedSnp.map((testCase) => [testCase.name, testCase] as const))('%s', async (_name, testCase) => {
    const { service, kind } = await kdsOf(testCase);
    const now = new Date(testCase.at);
    const source = sourceFor({ anchors: vendorAnchors, services: { amd: service.url }, at: () => now });
    const { evidence } = wrap(testCase, { crl: false });
    // A VLEK is sent along by its provider; everything else is fetched.
    const endorsements = kind === 'vlek' ? wrap(testCase, { crl: false }).endorsements : [];
    const completed = await completeEndorsements({
      evidence,
      endorsements,
      source,
      now,
      products: ['Milan'],
    });
    expect(completed.fetched.length).toBeGreaterThan(0);
    await verifyEvidence({
      evidence,
      endorsements: completed.endorsements,
      anchors: vendorAnchors,
      expectedReportData: fieldOf(testCase.report(), 'reportData'),
      now,
      policy: parseAttestationPolicy({
        version: 1,
        id: 'recorded',
        snp: {
          products: [testCase.product],
          signingKeys: [kind],
          vmpl: [testCase.vmpl ?? 0],
          measurements: [toHex(fieldOf(testCase.report(), 'measurement'))],
          minimumTcb: { [testCase.product]: {} },
          smt: 'allow',
        },
        waivers: [],
      }),
    });
  });
});

/** What the quote itself says. */
function contentOf(evidence: Cmw, { tee }: DcapCase) {
  if (tee === 'sgx') {
    const { body, certificates } = parseSgx(evidence);
    return { reportData: body.reportData, measurement: body.mrEnclave, certificates };
  }
  const { body, certificates } = parseTdx(evidence);
  return { reportData: body.reportData, measurement: body.mrTd, certificates };
}

describe.skipIf(!vectorsPresent)('recorded collateral of Intel, served by a fake', () => {
  it.each(recordedDcap.map((testCase) => [testCase.name, testCase] as const))('%s', async (_name, testCase) => {
    const now = new Date(testCase.at);
    const { evidence } = wrapDcap(testCase);
    const { reportData, measurement, certificates } = contentOf(evidence, testCase);
    const collateral = testCase.collateral?.();
    if (collateral?.pckCrl === undefined || collateral.rootCaCrl === undefined) throw new Error('no lists');
    const { pckCrl, rootCaCrl } = collateral;
    const fmspc = /"fmspc":"([0-9A-Fa-f]{12})"/.exec(collateral.tcbInfo)?.[1]?.toLowerCase() ?? '';
    const [, issuer] = certificates;
    const service = await fake(
      fakePcs({
        pccs: true,
        material: [
          {
            ...collateral,
            pckCrl,
            rootCaCrl,
            tee: testCase.tee,
            fmspc,
            ca: issuer?.subject.commonName?.includes('Processor') === true ? 'processor' : 'platform',
            pckCrlIssuerChain: pem(certificates.slice(1).map(({ raw }) => raw)),
          },
        ],
      }),
    );
    const source = sourceFor({ anchors: vendorAnchors, services: pccsServices(service.url), at: () => now });
    const { endorsements, fetched } = await completeEndorsements({ evidence, endorsements: [], source, now });
    expect(fetched).toHaveLength(4);
    const verdict = await codeOf(
      verifyEvidence({
        evidence,
        endorsements,
        anchors: vendorAnchors,
        expectedReportData: fromHex(reportData),
        now,
        policy: parseAttestationPolicy({
          version: 1,
          id: 'recorded',
          [testCase.tee]: {
            measurements: [measurement],
            ...(testCase.tee === 'tdx' ? { rtmrs: {} } : {}),
            tcbStatuses: [...tcbStatuses],
            minimumTcbEvaluationDataNumber: 0,
          },
          waivers: [],
        }),
      }),
    );
    expect(verdict).toBe(testCase.verdict === 'accept' ? 'none' : testCase.verdict);
  });
});

it('says which recordings it found', () => {
  const counts = `${recordedSnp.length} of AMD, ${recordedDcap.length} of Intel`;
  process.stdout.write(vectorsPresent ? `recorded endorsements: ${counts}\n` : 'no recorded evidence: skipped\n');
  if (vectorsPresent) expect([recordedSnp.length, recordedDcap.length]).toEqual([9, 3]);
});
