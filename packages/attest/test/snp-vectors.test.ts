import { afterAll, describe, expect, it } from 'vitest';
import { verifyEvidence } from '../src/index.ts';
import { codeOf } from './support/errors.ts';
import { policyFor, snpCases, snpOptions, type SnpCase, type SnpChanges } from './support/snp-cases.ts';
import { readTable, vectorsPresent } from './support/vectors.ts';

const counts: Record<string, number> = {};
const count = (verdict: string) => {
  counts[verdict] = (counts[verdict] ?? 0) + 1;
};

async function judge(testCase: SnpCase, options: SnpChanges = {}) {
  const verdict = await verifyEvidence(snpOptions(testCase, options));
  count('accept');
  return verdict;
}

async function expectCode(attempt: Promise<unknown>, code: string): Promise<void> {
  expect(await codeOf(attempt)).toBe(code);
  count(code);
}

function named(part: string): SnpCase {
  const found = accepted.find((candidate) => candidate.name.includes(part));
  if (found === undefined) throw new Error(`no case ${part}`);
  return found;
}

const accepted = snpCases.filter((testCase) => testCase.verdict === 'accept');
const refused = snpCases.filter((testCase) => testCase.verdict !== 'accept');

describe.skipIf(!vectorsPresent)('recorded SEV-SNP evidence', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded SEV-SNP evidence: ${snpCases.length} cases; verdicts: ${lines.join(', ')}\n`);
  });

  it('covers every SEV-SNP row of the index', () => {
    const rows = readTable('INDEX.tsv').filter((row) => row['tee'] === 'snp');
    const covered = new Set([
      ...snpCases.map((testCase) => testCase.row),
      'snp/virtee__sev/tests/certs_data/vcek_turin.der',
    ]);
    const missing = rows
      .map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '')
      .filter((file) => !covered.has(file));
    expect(rows.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
  });

  it.each(accepted)('accepts: $name', async (testCase) => {
    const { claims, waivers, checks } = await judge(testCase);
    expect(claims).toMatchObject({
      product: testCase.product,
      reportVersion: testCase.version,
      simulated: false,
      debug: false,
    });
    expect(waivers).toEqual([]);
    expect(checks.filter((check) => check.outcome === 'waived')).toEqual([]);
  });

  it.each(refused)('refuses: $name ($verdict)', async (testCase) => {
    await expectCode(judge(testCase), testCase.verdict);
  });

  it.each(snpCases.filter((testCase) => testCase.acceptedUnder !== undefined))(
    'accepts under a waiver, and says so: $name',
    async (testCase) => {
      const waive = testCase.acceptedUnder ?? [];
      const { claims, waivers } = await judge(testCase, { policy: policyFor(testCase, { waive }) });
      expect(waivers.map((waiver) => waiver.check)).toEqual(waive);
      expect(claims.debug).toBe(true);
    },
  );

  it.each(accepted)('applies the floor of AMD-SB-3019 unless the policy says none: $name', async (testCase) => {
    const attempt = judge(testCase, { policy: policyFor(testCase, { snp: { minimumTcb: {} } }) });
    if (testCase.floor === 'met') await attempt;
    else await expectCode(attempt, testCase.floor);
  });

  it.each(accepted)('needs the revocation list, or a waiver that is reported: $name', async (testCase) => {
    await expectCode(judge(testCase, { crl: false }), 'SNP_CRL_MISSING');
    const { waivers } = await judge(testCase, {
      crl: false,
      policy: policyFor(testCase, { waive: ['SNP_CRL_MISSING'] }),
    });
    expect(waivers.map((waiver) => waiver.check)).toEqual(['SNP_CRL_MISSING']);
  });

  it.each(accepted)('refuses a stale revocation list: $name', async (testCase) => {
    // Every recorded list has expired by then; the leaf of the VLEK too, which comes first.
    const code = testCase.signingKey === 'vlek' ? 'SNP_LEAF_VALIDITY' : 'SNP_CRL_EXPIRED';
    await expectCode(judge(testCase, { at: '2026-11-23' }), code);
  });

  it.each(accepted)('refuses a certificate before its time: $name', async (testCase) => {
    await expectCode(judge(testCase, { at: '2022-12-01' }), 'SNP_LEAF_VALIDITY');
  });

  it.each(accepted)('refuses another nonce: $name', async (testCase) => {
    await expectCode(
      judge(testCase, { expectedReportData: new Uint8Array(64).fill(0xa5) }),
      'SNP_REPORT_DATA_MISMATCH',
    );
  });

  it('refuses the VLEK report where only VCEKs, or only VMPL 0, are allowed', async () => {
    const testCase = named('VLEK');
    await expectCode(
      judge(testCase, { policy: policyFor(testCase, { snp: { signingKeys: ['vcek'] } }) }),
      'SNP_SIGNING_KEY_NOT_ALLOWED',
    );
    await expectCode(judge(testCase, { policy: policyFor(testCase, { snp: { vmpl: [0] } }) }), 'SNP_VMPL_NOT_ALLOWED');
    const { claims } = await judge(testCase, {
      policy: policyFor(testCase, { snp: { cspIds: ['CN=cc-us-east-2.amazonaws.com'] } }),
    });
    expect(claims.identity).toEqual({ kind: 'csp-id', value: 'CN=cc-us-east-2.amazonaws.com' });
  });

  it('refuses the VLEK report with the certificate of a VCEK', async () => {
    const [vlek, vcek] = [named('VLEK'), named('virtee')];
    await expectCode(judge({ ...vlek, certificates: vcek.certificates }), 'SNP_LEAF_KIND_MISMATCH');
  });
});
