// SEV-SNP verifications over bare P-384 verifies, uncached: every certificate, the CRL and the report are parsed, checked
// and verified anew each time. Run: npm run bench:snp
import { createPublicKey, verify } from 'node:crypto';
import { amdAnchors, parseAttestationPolicy, verifyEvidence } from '@fastness/attest';
import { parseCertificate } from '@fastness/codec/x509';
import { forgeAmdChain, forgeSnpReport, snpEndorsements, snpEvidence } from '@fastness/testkit';
import { compare, printFigures, timed } from './support.ts';

const now = new Date();
const repetitions = 200;
const rounds = 7;

// RSA-4096 as AMD has it, so that the chain costs what a genuine one costs.
const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now, rsaBits: 4096 });
const measurement = new Uint8Array(48).fill(7);
const expectedReportData = crypto.getRandomValues(new Uint8Array(64));
const report = await forgeSnpReport({ chain, reportData: expectedReportData, measurement });
const evidence = snpEvidence({ report, certificates: chain.certificates, simulated: true });
const endorsements = [snpEndorsements({ crls: [chain.crl] })];
const policy = parseAttestationPolicy({
  version: 1,
  id: 'bench',
  snp: {
    products: ['Milan'],
    signingKeys: ['vcek'],
    vmpl: [0],
    measurements: ['07'.repeat(48)],
    minimumTcb: {},
    smt: 'allow',
  },
  simulated: { arkSpkiSha256: chain.arkSpkiSha256 },
  waivers: [],
});

const key = createPublicKey({
  key: Buffer.from(parseCertificate(chain.leaf.certificate).spki),
  format: 'der',
  type: 'spki',
});
const signed = report.subarray(0, 0x2a0);
const half = (offset: number): Uint8Array => report.slice(offset, offset + 48).toReversed();
const signature = Buffer.concat([half(0x2a0), half(0x2a0 + 72)]);
if (!verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature))
  throw new Error('the floor does not verify');

const result = await compare(
  {
    verification: async () =>
      timed(async () => {
        for (let count = 0; count < repetitions; count += 1) {
          await verifyEvidence({ evidence, endorsements, policy, anchors: amdAnchors, expectedReportData, now });
        }
      }),
    floor: async () =>
      timed(async () => {
        for (let count = 0; count < repetitions; count += 1)
          verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
      }),
  },
  rounds,
);

printFigures('SEV-SNP verification, uncached', [
  {
    name: 'one verification, chain, CRL and report',
    value: result.verification / repetitions,
    against: 'bare P-384 verify (OpenSSL)',
    reference: result.floor / repetitions,
    unit: 'ms',
    goal: '<= 3',
  },
]);
