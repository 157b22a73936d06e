import { toHex } from '@fastness/codec';
import { parseCertificate } from '@fastness/codec/x509';
import { afterAll, describe, expect, it } from 'vitest';
import { vendorAnchors, verifyEvidence, type AttestationVerdict } from '../src/index.ts';
import { dcapCases, dcapOptions, type DcapCase, type DcapChanges } from './support/dcap-cases.ts';
import { judgeDcap, type DcapScenario } from './support/dcap-forge.ts';
import { codeOf } from './support/errors.ts';
import { readCertificates, readTable, vectorsPresent } from './support/vectors.ts';

const counts: Record<string, number> = {};
const count = (verdict: string) => {
  counts[verdict] = (counts[verdict] ?? 0) + 1;
};

async function judge(testCase: DcapCase, changes: DcapChanges = {}): Promise<AttestationVerdict> {
  const verdict = await verifyEvidence(dcapOptions(testCase, changes));
  count('accept');
  return verdict;
}

async function expectCode(attempt: Promise<unknown>, code: string): Promise<void> {
  expect(await codeOf(attempt)).toBe(code);
  count(code);
}

const accepted = dcapCases.filter(({ verdict }) => verdict === 'accept');
const refused = dcapCases.filter(({ verdict }) => verdict !== 'accept');

describe.skipIf(!vectorsPresent)('recorded TDX and SGX evidence', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded TDX and SGX evidence: ${dcapCases.length} cases; verdicts: ${lines.join(', ')}\n`);
  });

  it('covers every TDX and SGX row of the index', () => {
    const covered = new Set(dcapCases.map(({ row }) => row));
    // A protobuf of another project's evidence, given for reference.
    covered.add('tdx/project-oak__oak/oak_attestation_verification/testdata/tdx_oc_evidence.binarypb');
    const rows = readTable('INDEX.tsv').filter((row) => row['tee'] === 'tdx' || row['tee'] === 'sgx');
    const missing = rows
      .map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '')
      .filter((file) => !covered.has(file));
    expect(rows.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
  });

  it.each(accepted)('accepts: $name', async (testCase) => {
    const { claims, waivers } = await judge(testCase);
    expect(claims).toMatchObject({ tee: testCase.tee, vendor: 'Intel', simulated: false, debug: false });
    if (testCase.status !== undefined) expect(claims).toMatchObject({ tcb: { status: testCase.status } });
    // Rows without lists of their time are accepted under a waiver alone, one for each list.
    const lists = testCase.noCrl === true ? ['DCAP_CRL_MISSING', 'DCAP_CRL_MISSING'] : [];
    const expected = [...lists, ...(testCase.waive ?? [])];
    expect(waivers.map(({ check }) => check)).toEqual(expected);
  });

  it.each(refused)('refuses: $name ($verdict)', async (testCase) => {
    await expectCode(judge(testCase), testCase.verdict);
  });

  it.each(dcapCases.filter(({ relaxed }) => relaxed !== undefined))(
    'accepts what the policy lets pass, and says so: $name',
    async (testCase) => {
      const { section = {}, waive } = testCase.relaxed ?? {};
      const { claims, waivers } = await judge(testCase, { section, waive: waive === undefined ? [] : [waive] });
      expect(claims.debug).toBe(waive !== undefined);
      if (waive !== undefined) expect(waivers.map(({ check }) => check)).toContain(waive);
    },
  );

  it.each(accepted)('refuses another nonce: $name', async (testCase) => {
    const reportData = new Uint8Array(64).fill(0xa5);
    const code = testCase.tee === 'tdx' ? 'TDX_REPORT_DATA_MISMATCH' : 'SGX_REPORT_DATA_MISMATCH';
    await expectCode(judge(testCase, { reportData }), code);
  });

  it.each(accepted)('accepts no worse status than the policy says: $name', async (testCase) => {
    const attempt = judge(testCase, { section: { tcbStatuses: ['UpToDate'] } });
    if (testCase.status === undefined || testCase.status === 'UpToDate') await attempt;
    else await expectCode(attempt, 'DCAP_TCB_STATUS_NOT_ALLOWED');
  });

  // Intel's sample outlives its PCK certificate; that is a case of its own.
  it.each(accepted.filter(({ anchors }) => anchors === undefined))(
    'refuses collateral after its time: $name',
    async (testCase) => {
      const full = testCase.noCrl !== true;
      await expectCode(judge(testCase, { at: '2026-11-23' }), full ? 'DCAP_CRL_EXPIRED' : 'DCAP_TCB_INFO_WINDOW');
    },
  );

  it.each(accepted.filter(({ noCrl }) => noCrl !== true))('needs both revocation lists: $name', async (testCase) => {
    for (const name of ['rootCaCrl', 'pckCrl'] as const) {
      const collateral = () => {
        const all = testCase.collateral?.();
        if (all === undefined) throw new Error('no collateral');
        const { [name]: _, ...rest } = all;
        return rest;
      };
      await expectCode(judge({ ...testCase, collateral }), 'DCAP_CRL_MISSING');
    }
  });

  it("refuses the root of Intel's own sample, which has the name of the real one", async () => {
    const folder = 'sgx/intel__SGX-TDX-DCAP-QuoteVerificationLibrary/Src/AttestationApp/sampleData';
    const [pck, chain, root] = ['pckCert.pem', 'pckSignChain.pem', 'trustedRootCaCert.pem'].map((file) =>
      readCertificates(`${folder}/${file}`),
    );
    const [rootDer = new Uint8Array(0)] = root ?? [];
    const parsed = parseCertificate(rootDer);
    expect(parsed.subject.commonName).toBe(vendorAnchors.intel[0]?.name);
    const ca = chain?.find((der) => parseCertificate(der).subject.commonName?.includes('PCK') === true);
    const certificates = [...(pck ?? []).slice(0, 1), ...(ca === undefined ? [] : [ca]), rootDer];
    expect(certificates).toHaveLength(3);
    const scenario: DcapScenario = { kind: 'sgx', quote: { certificates } };
    await expectCode(judgeDcap({ ...scenario, anchors: vendorAnchors }), 'DCAP_ROOT_NOT_PINNED');
    // With that root pinned instead, the sample chain holds and the forged signature below it does not.
    const spkiSha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(parsed.spki))));
    const anchor = { name: 'sample', spkiSha256, certificateSha256: '', source: 'a test' };
    await expectCode(judgeDcap({ ...scenario, anchors: { intel: [anchor] } }), 'DCAP_QE_REPORT_SIGNATURE');
  });
});
