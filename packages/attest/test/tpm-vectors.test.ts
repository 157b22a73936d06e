import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodePem, fromHex, toHex, utf8Encode } from '@fastness/codec';
import { DerReader } from '@fastness/codec/der';
import { parseCertificate } from '@fastness/codec/x509';
import { afterAll, describe, expect, it } from 'vitest';
import { Checklist } from '../src/checks.ts';
import { parseEventLog, replayToPcrs } from '../src/event-log/index.ts';
import { readHclReport } from '../src/formats/azure-vtpm/hcl.ts';
import { readRuntimeData } from '../src/formats/azure-vtpm/runtime-data.ts';
import { readInstanceInfo } from '../src/formats/gcp-vtpm/instance-info.ts';
import { authenticateAkCertificates } from '../src/formats/tpm/ak-certificates.ts';
import {
  CMW_EVIDENCE,
  parseAttestationPolicy,
  TDX_QUOTE_TYPE,
  VerificationCache,
  vendorAnchors,
  verifyEvidence,
  verifyRecordedEvidence,
  type AttestationVerdict,
} from '../src/index.ts';
import { parse as parseTdx } from '../src/formats/tdx/index.ts';
import { codeOf } from './support/errors.ts';
import { nitroOptions, nitroVectors } from './support/nitro-vectors.ts';
import { tpmCases, tpmOptions, tpmReferenceRows, type TpmCase, type TpmChange } from './support/tpm-cases.ts';
import {
  collateralOf,
  COLLATERAL_TIME,
  googleRoot,
  nitroFixture,
  openpcc,
  vaporFixture,
} from './support/tpm-recorded.ts';
import { flip, sha256Hex } from './support/tpm-forge.ts';
import { unsignedPart } from './support/unsigned.ts';
import {
  evidenceRoot,
  readArmour,
  readCertificates,
  readTable,
  readVector,
  readVectorText,
  vectorsPresent,
} from './support/vectors.ts';

const counts: Record<string, number> = {};
const count = (verdict: string) => {
  counts[verdict] = (counts[verdict] ?? 0) + 1;
};

const judge = async (testCase: TpmCase, change: TpmChange = {}): Promise<AttestationVerdict> =>
  verifyEvidence(tpmOptions(testCase, change));

/** Bits that are changed in one recorded piece of evidence. */
const MUTATIONS = 240;

async function expectCode(attempt: Promise<unknown>, code: string): Promise<void> {
  expect(await codeOf(attempt)).toBe(code);
  count(code);
}

const accepted = tpmCases.filter(({ verdict }) => verdict === 'accept');

describe.skipIf(!vectorsPresent)('recorded evidence of TPMs', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded TPM evidence: ${tpmCases.length} cases; verdicts: ${lines.join(', ')}\n`);
  });

  it('covers every row of the index', () => {
    const kinds = new Set(['tpm', 'azure-vtpm', 'nitrotpm']);
    const rows = readTable('INDEX.tsv').filter((row) => kinds.has(row['tee'] ?? ''));
    const covered = new Set([...tpmCases.map(({ row }) => row), ...Object.keys(tpmReferenceRows)]);
    const first = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(first.length).toBeGreaterThan(9);
    expect(first.filter((file) => !covered.has(file))).toEqual([]);
  });

  it.each(tpmCases)('gives the stated verdict: $name ($verdict)', async (testCase) => {
    if (testCase.verdict !== 'accept') {
      await expectCode(judge(testCase), testCase.verdict);
      return;
    }
    const { claims, waivers } = await judge(testCase);
    count('accept');
    expect(claims).toMatchObject({ tee: testCase.tee, simulated: false, debug: false });
    expect(waivers.map(({ check }) => check)).toEqual(testCase.waive ?? []);
  });

  it.each(accepted)('refuses another nonce, register or signature: $name', async (testCase) => {
    const recorded = testCase.read();
    await expectCode(judge(testCase, { nonce: new Uint8Array(32) }), 'TPM_NONCE_MISMATCH');
    const { content, bank, pcrs } = recorded;
    const registers = content.pcrs[bank] ?? new Map<number, Uint8Array>();
    const changed = new Map([...registers, [5, new Uint8Array(registers.get(5)?.length ?? 0).fill(0xee)] as const]);
    const evidence = recorded.rewrap({ ...content, pcrs: { [bank]: changed } });
    await expectCode(judge(testCase, { evidence }), 'TPM_PCR_DIGEST');
    const signature = flip(content.signature, content.signature.length - 1);
    await expectCode(judge(testCase, { evidence: recorded.rewrap({ ...content, signature }) }), 'TPM_SIGNATURE');
    const zeros = '0'.repeat(pcrs['0']?.length ?? 0);
    const pins = { pcrs: { 0: [`${zeros.slice(1)}1`] } };
    await expectCode(judge(testCase, { section: pins }), 'TPM_PCR_NOT_ALLOWED');
  });

  it.each(accepted)('refuses evidence wherever a bit changes: $name', async (testCase) => {
    const { evidence, content } = testCase.read();
    const free = unsignedPart(evidence.value, content.eventLog);
    const step = Math.ceil(evidence.value.length / MUTATIONS);
    const options = { ...tpmOptions(testCase), cache: new VerificationCache() };
    const unnoticed: number[] = [];
    for (let position = 2; position < evidence.value.length; position += step) {
      if (free(position)) continue;
      const changed = { ...evidence, value: flip(evidence.value, position) };
      if ((await codeOf(verifyEvidence({ ...options, evidence: changed }))) === 'accepted') unnoticed.push(position);
    }
    expect(unnoticed).toEqual([]);
  });

  it.each(accepted)('is judged without its nonce, which is reported: $name', async (testCase) => {
    const { expectedReportData: _, ...options } = tpmOptions(testCase);
    const { waivers } = await verifyRecordedEvidence({ ...options, reason: 'recorded evidence' });
    expect(waivers.at(-1)?.check).toBe('ATTEST_BINDING_UNCHECKED');
  });

  it('has hardware claims inside those of Azure', async () => {
    const [snp, , tdx] = accepted.filter(({ tee }) => tee === 'azure-vtpm');
    if (snp === undefined || tdx === undefined) throw new Error('no cases');
    const { claims } = await judge(snp);
    expect(claims).toMatchObject({
      identity: { kind: 'vm-id', value: '26f8bc30-774e-4290-8e7a-535f3b672aee' },
      secureBoot: true,
      hardware: { tee: 'sev-snp', product: 'Milan', vmpl: 0 },
    });
    const { claims: td } = await judge(tdx);
    expect(td).toMatchObject({
      secureBoot: true,
      tpmPersisted: false,
      hardware: { tee: 'tdx', fmspc: '00806f050000' },
    });
  });

  it('has the instance in the claims of Google', async () => {
    const testCase = accepted.find(({ tee }) => tee === 'gcp-vtpm');
    if (testCase === undefined) throw new Error('no case');
    const { claims } = await judge(testCase);
    expect(claims.identity.value).toBe('projects/lockboot/zones/us-central1-f/instances/3414240648225485836');
    await expectCode(judge(testCase, { section: { projects: ['another'] } }), 'GCP_VTPM_PROJECT_NOT_ALLOWED');
  });

  it('binds the quote of NitroTPM to its document', async () => {
    const vector = nitroVectors.find(({ row }) => row === nitroFixture);
    if (vector === undefined) throw new Error('no document');
    const { claims } = await verifyEvidence(nitroOptions(vector));
    if (claims.tee !== 'aws-nitrotpm') throw new Error('claims of something else');
    const { key, pcrs, nonce } = vaporFixture(nitroFixture, 'sha384');
    expect(claims.nonce).toBe(toHex(nonce));
    expect(toHex(key)).toContain(claims.publicKey?.slice(-128));
    expect(claims.pcrs).toMatchObject(pcrs);
  });
});

describe.skipIf(!vectorsPresent)('recorded pieces of evidence of TPMs', () => {
  const means = {};
  const archive = (name: string) => readVectorText(`${openpcc}/${name}`);
  const chainOf = async (ders: readonly Uint8Array[], vendor: 'gcp' | 'azure', at: string, waive = true) => {
    const [leaf, ...pool] = ders.map((bytes) => parseCertificate(bytes));
    if (leaf === undefined) throw new Error('no certificate');
    const waiver = { check: 'TPM_AK_CRL_MISSING', reason: 'none was recorded' } as const;
    const checks: Checklist = new Checklist(waive ? [waiver] : []);
    const anchors = vendor === 'gcp' ? vendorAnchors.gcpVtpm : vendorAnchors.azureVtpm;
    const purpose = vendor === 'gcp' ? 'stated-or-none' : 'stated';
    await authenticateAkCertificates(
      { leaf, pool, crls: [] },
      { ...means, anchors, purpose, now: new Date(at) },
      checks,
    );
    return { leaf, checks };
  };

  it('have certificates of Azure that end in the pinned root', async () => {
    const folder = 'roots/openpcc__openpcc/attestation/verify';
    const authorities = ['azure_tpm_intermediate_01', 'azure_tpm_intermediate_03', 'azure_tpm_root_2023'].flatMap(
      (name) => readCertificates(`${folder}/${name}.pem`),
    );
    // They were read from NV indexes that are larger than the certificates.
    const leaves = decodePem(archive('azure_ak_certificates.txt'), 'CERTIFICATE').map(
      (bytes) => new DerReader(bytes).element().raw,
    );
    expect(leaves).toHaveLength(2);
    for (const leaf of leaves) {
      const { leaf: read, checks } = await chainOf([leaf, ...authorities], 'azure', '2025-12-01');
      expect(read.subject.commonName).toMatch(/^[0-9a-f]{12}\.ConfidentialVM\.Azure\.windows\.net$/);
      expect(checks.results().waivers.map(({ check }) => check)).toEqual(['TPM_AK_CRL_MISSING']);
      await expectCode(chainOf([leaf, ...authorities], 'azure', '2025-12-01', false), 'TPM_AK_CRL_MISSING');
      await expectCode(chainOf([leaf, ...authorities], 'azure', '2026-12-01'), 'TPM_AK_LEAF_VALIDITY');
      await expectCode(chainOf([leaf, ...authorities], 'gcp', '2025-12-01'), 'TPM_AK_ROOT_NOT_PINNED');
      await expectCode(chainOf([leaf], 'azure', '2025-12-01'), 'TPM_AK_ISSUER_MISSING');
    }
  });

  it('have a certificate of Google that ends in the pinned root and names its instance', async () => {
    const chain = decodePem(archive('gce_ak_certificates.txt'), 'CERTIFICATE');
    const { leaf } = await chainOf([...chain, ...readCertificates(googleRoot)], 'gcp', '2026-06-01');
    expect(readInstanceInfo(leaf, new Checklist([]))).toEqual({
      zone: 'us-west1-b',
      projectNumber: '227362733779',
      projectId: 'nonvolatile-dev',
      instanceId: '8033817256003918212',
      instanceName: 'jfquinn-tdx-tpm-ubuntu-test-us-west1-b',
      securityVersion: '0',
      production: true,
    });
    await expectCode(chainOf(chain, 'gcp', '2026-06-01'), 'TPM_AK_ISSUER_MISSING');
  });

  it('have a TD of Azure whose quote carries its runtime data', async () => {
    const text = archive('azure_tdx_report.txt');
    const checks: Checklist = new Checklist([]);
    const { reportType, runtimeData } = readHclReport(readArmour(text, 'REPORT'), checks);
    expect(reportType).toBe(4);
    expect(readRuntimeData(runtimeData, checks)).toMatchObject({
      secureBoot: true,
      vmId: 'e59b8ec3-0a8d-4243-b10a-9b5505870f04',
    });
    const bound = `${await sha256Hex(runtimeData)}${'00'.repeat(32)}`;
    const { body } = parseTdx({ type: TDX_QUOTE_TYPE, value: readArmour(text, 'QUOTE'), ind: CMW_EVIDENCE });
    expect(body.reportData).toBe(bound);
    await expectCode(judgeTd(readArmour(text, 'QUOTE'), bound, '90c06f000000'), 'accepted');
  });

  it('have a TD of Google, judged as TDX', async () => {
    const quote = readArmour(archive('gce_tdx_report.txt'), 'REPORT');
    await expectCode(judgeTd(quote, '00'.repeat(64), '00806f050000'), 'accepted');
  });

  it('have a log that replays in every bank', async () => {
    const log = parseEventLog(readArmour(archive('tcg_eventlog.txt'), 'LOG'));
    for (const bank of log.banks) expect((await replayToPcrs(log, bank)).size).toBeGreaterThan(8);
    const [key = new Uint8Array()] = decodePem(archive('tcg_eventlog.txt'), 'PUBLIC KEY');
    expect(key).toHaveLength(294);
    count('replayed');
  });

  it('have logs of go-tpm-tools that replay in every bank', async () => {
    const folder = 'tpm/google__go-tpm-tools/internal/test/eventlogs';
    const names = readdirSync(join(evidenceRoot, folder));
    expect(names.length).toBeGreaterThan(12);
    const replays: string[] = [];
    for (const name of names) {
      const log = parseEventLog(readVector(`${folder}/${name}`));
      for (const bank of log.banks) {
        const registers = await replayToPcrs(log, bank);
        replays.push(...[...registers].map(([index, value]) => `${name} ${bank} ${index} ${value}`));
        expect(registers.size, name).toBeGreaterThan(4);
        // EV_SEPARATOR: the digest is that of the data, so a bank that was read wrongly would show.
        for (const { digests, data } of log.events.filter(({ type }) => type === 4)) {
          const digest = await crypto.subtle.digest(bank, Uint8Array.from(data));
          expect(digests[bank], name).toBe(toHex(new Uint8Array(digest)));
        }
      }
      count('replayed');
    }
    // The registers that go-tpm-tools states for its logs (server/eventlog_test.go), compared once with these replays.
    expect(await sha256Hex(utf8Encode(replays.toSorted().join('\n')))).toBe(
      'ba6f0b3caf6aa8b89db61f111df51ee8e6c5eff63f18cbce15647731e6d2f413',
    );
  });
});

/** A quote of a TD by itself, under the collateral of the one time at which all of it is valid. */
async function judgeTd(
  quote: Uint8Array,
  reportData: string,
  fmspc: '00806f050000' | '90c06f000000',
): Promise<AttestationVerdict> {
  const evidence = { type: TDX_QUOTE_TYPE, value: quote, ind: CMW_EVIDENCE };
  return verifyEvidence({
    evidence,
    endorsements: [collateralOf(fmspc)],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-td',
      tdx: {
        measurements: [parseTdx(evidence).body.mrTd],
        rtmrs: {},
        tcbStatuses: ['UpToDate', 'SWHardeningNeeded', 'OutOfDate'],
        minimumTcbEvaluationDataNumber: 0,
      },
      waivers: [{ check: 'DCAP_CRL_MISSING', reason: 'recorded evidence' }],
    }),
    anchors: vendorAnchors,
    expectedReportData: fromHex(reportData),
    now: new Date(COLLATERAL_TIME),
  });
}
