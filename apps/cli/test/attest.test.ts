import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { absentSections, explainPolicy } from '../src/support/attest/explain-policy.ts';
import { junitOf } from '../src/support/attest/junit.ts';
import type { Judgement } from '../src/support/attest/judge.ts';
import { loadPolicy } from '../src/support/attest/policy-file.ts';
import { warningsOf } from '../src/support/attest/policy-warnings.ts';
import { runJudgement, type JudgementOptions } from '../src/support/attest/run-judgement.ts';
import { sarifOf } from '../src/support/attest/sarif.ts';
import { forgedFolder, type ForgedFolder } from './support/forged.ts';

let folder: ForgedFolder;
beforeAll(async () => {
  folder = await forgedFolder();
});
afterAll(async () => rm(dirname(folder.path('x')), { recursive: true, force: true }));

/** Options that accept the evidence of this name. A member that is undefined is left out. */
function terms(name: string, more: Readonly<Record<string, unknown>> = {}): JudgementOptions {
  const options = {
    policy: folder.path(`${name}.policy.json`),
    anchors: folder.path(`${name}.anchors.json`),
    at: folder.at,
    reportData: folder.reportData,
    ...more,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

const snp = (more: Readonly<Record<string, unknown>> = {}) =>
  terms('snp', { endorsements: [folder.path('snp.endorsements.json')], ...more });

const judgeFile = async (file: string, options: JudgementOptions): Promise<Judgement> =>
  runJudgement(folder.path(file), options, new AbortController().signal);

/** The error of a judgement, or of what prevented one. */
async function errorOf(judged: Promise<Judgement>): Promise<FastnessError | undefined> {
  try {
    return (await judged).error;
  } catch (error) {
    if (error instanceof FastnessError) return error;
    throw error;
  }
}

describe('evidence in files', () => {
  it.each([
    ['snp.bin', 'snp', ['snp.endorsements.json']],
    ['snp.bin', 'snp', ['snp.0.der', 'snp.1.der', 'snp.2.der', 'snp.crl']],
    ['snp.hex', 'snp', ['snp.endorsements.json']],
    ['snp.cmw.json', 'snp', ['snp.endorsements.json']],
    ['snp.cmw.cbor', 'snp', ['snp.endorsements.json']],
    ['tdx.bin', 'tdx', ['tdx.collateral.json']],
    ['sgx.bin', 'sgx', ['sgx.collateral.json']],
    ['nitro.bin', 'nitro', []],
    ['nitroTpm.bin', 'nitroTpm', []],
  ])('%s is accepted under policy %s with %j', async (file, name, endorsements) => {
    const given = { endorsements: endorsements.map((each) => folder.path(each)) };
    const { error, verdict, checks, waivers } = await judgeFile(file, terms(name, given));
    expect(error).toBeUndefined();
    expect(verdict?.claims.reportData).toBe(folder.reportData);
    expect(waivers).toEqual([]);
    expect(checks.length).toBeGreaterThan(10);
  });

  it.each<[string, () => JudgementOptions, number, string, RegExp]>([
    ['no policy', () => snp({ policy: undefined }), 2, 'CLI_USAGE', /--policy FILE is missing/],
    ['no time', () => snp({ at: undefined }), 2, 'CLI_USAGE', /--at TIME is missing/],
    ['a time without a zone', () => snp({ at: '2026-06-01T12:00:00' }), 2, 'CLI_USAGE', /zone/],
    ['no nonce', () => snp({ reportData: undefined }), 2, 'CLI_USAGE', /--nonce HEX or --report-data HEX is missing/],
    ['two nonces', () => snp({ nonce: '00' }), 2, 'CLI_USAGE', /not several/],
    ['a nonce that is no hex', () => snp({ reportData: 'xyz' }), 2, 'CLI_USAGE', /hex/],
    [
      'a nonce that is too long',
      () => snp({ reportData: undefined, nonce: '00'.repeat(65) }),
      2,
      'CLI_USAGE',
      /longer/,
    ],
    ['an empty reason', () => snp({ reportData: undefined, withoutNonce: ' ' }), 2, 'CLI_USAGE', /reason/],
    ['an unknown format', () => snp({ format: 'zip' }), 2, 'CLI_USAGE', /--format is one of auto, snp/],
    ['another format', () => snp({ format: 'tdx' }), 3, 'CLI_NOT_RECOGNISED', /TDX quote/],
    [
      'a policy for another TEE',
      () => snp({ policy: folder.path('tdx.policy.json') }),
      5,
      'ATTEST_TEE_NOT_ALLOWED',
      /snp/,
    ],
    [
      'a policy that is none',
      () => snp({ policy: folder.path('snp.anchors.json') }),
      2,
      'ATTEST_POLICY_INVALID',
      /version/,
    ],
    ['roots that are none', () => snp({ anchors: folder.path('snp.policy.json') }), 2, 'CLI_USAGE', /holds no roots/],
    ['another nonce', () => snp({ reportData: '00'.repeat(64) }), 5, 'SNP_REPORT_DATA_MISMATCH', /Expected 00/],
    ['the roots of the vendors', () => snp({ anchors: undefined }), 4, 'SNP_ARK_NOT_PINNED', /./],
    ['a later time', () => snp({ at: '2049-01-01T00:00:00Z' }), 4, 'SNP_LEAF_VALIDITY', /./],
    ['no endorsements', () => terms('snp'), 7, 'SNP_LEAF_MISSING', /./],
    [
      'no endorsement',
      () => snp({ endorsements: [folder.path('snp.bin')] }),
      3,
      'CLI_NOT_RECOGNISED',
      /expected a CMW/,
    ],
    ['an absent endorsement', () => snp({ endorsements: [folder.path('absent')] }), 2, 'CLI_FILE_UNREADABLE', /absent/],
  ])('are refused with %s', async (_what, options, exitCode, code, text) => {
    const error = await errorOf(judgeFile('snp.bin', options()));
    expect(error).toMatchObject({ exitCode, code });
    expect(error?.message).toMatch(text);
  });

  it('are not guessed at', async () => {
    await folder.write('other.bin', 'something else entirely, of some length, that is neither hex nor base64!');
    expect(await errorOf(judgeFile('other.bin', snp()))).toMatchObject({ code: 'CLI_NOT_RECOGNISED' });
    expect(await errorOf(judgeFile('absent.bin', snp()))).toMatchObject({ code: 'CLI_FILE_UNREADABLE' });
  });

  it('take a short nonce at the beginning of the report data', async () => {
    const nonce = folder.reportData.replace(/(?:00)+$/, '');
    expect((await judgeFile('snp.bin', snp({ reportData: undefined, nonce }))).error).toBeUndefined();
    const short = { reportData: undefined, nonce: nonce.slice(0, 64) };
    expect(await errorOf(judgeFile('snp.bin', snp(short)))).toMatchObject({ code: 'SNP_REPORT_DATA_MISMATCH' });
  });

  it.each([
    ['snp.bin', 'snp', ['snp.endorsements.json']],
    ['tdx.bin', 'tdx', ['tdx.collateral.json']],
    ['sgx.bin', 'sgx', ['sgx.collateral.json']],
    ['nitro.bin', 'nitro', []],
  ])('%s is verified without its nonce for a reason, which is reported', async (file, name, endorsements) => {
    const more = {
      reportData: undefined,
      withoutNonce: 'an archived record',
      endorsements: endorsements.map(folder.path),
    };
    const { error, waivers, checks } = await judgeFile(file, terms(name, more));
    expect(error).toBeUndefined();
    expect(waivers).toMatchObject([{ check: 'ATTEST_BINDING_UNCHECKED', reason: 'an archived record' }]);
    expect(checks.at(-1)).toMatchObject({
      code: 'ATTEST_BINDING_UNCHECKED',
      outcome: 'waived',
      reason: 'an archived record',
    });
  });

  it('that are collections are accepted with all their parts', async () => {
    const more = {
      reportData: undefined,
      session: folder.path('gpus.session.json'),
      endorsements: [folder.path('gpus.endorsements.cbor')],
    };
    const { error, checks, verdict } = await judgeFile('gpus.collection.json', terms('gpus', more));
    expect(error).toBeUndefined();
    expect(new Set(checks.map(({ part }) => part))).toEqual(new Set([undefined, 'cpu0', 'gpu0', 'gpu1']));
    expect(verdict?.claims.tee).toBe('sev-snp');
    const other = await folder.write(
      'other-session.json',
      JSON.stringify({
        purpose: 'client',
        nonce: 'ab'.repeat(32),
        keyConfigDigest: 'cd'.repeat(32),
        releaseDigest: 'ef'.repeat(32),
      }),
    );
    const refused = await errorOf(judgeFile('gpus.collection.json', terms('gpus', { ...more, session: other })));
    expect(refused?.code).toBe('SNP_REPORT_DATA_MISMATCH');
  });

  it('that are collections are verified for a session, and for nothing else', async () => {
    const session = await folder.write(
      'session.yaml',
      `purpose: client\nnonce: "${'ab'.repeat(32)}"\nkeyConfigDigest: "${'cd'.repeat(32)}"\nreleaseDigest: "${'ef'.repeat(32)}"\n`,
    );
    const bad = await folder.write('bad-session.yaml', 'purpose: client\nnonce: "ab"\n');
    for (const file of ['snp.collection.json', 'snp.collection.cbor']) {
      expect(await errorOf(judgeFile(file, snp()))).toMatchObject({ code: 'CLI_USAGE' });
      expect(await errorOf(judgeFile(file, snp({ reportData: undefined, withoutNonce: 'x' })))).toMatchObject({
        code: 'CLI_USAGE',
      });
      expect(await errorOf(judgeFile(file, snp({ reportData: undefined, session: bad })))).toMatchObject({
        code: 'CLI_USAGE',
      });
      // The report is bound to other bytes than this session's.
      const error = await errorOf(judgeFile(file, snp({ reportData: undefined, session })));
      expect(error?.code).toBe('SNP_REPORT_DATA_MISMATCH');
      expect(error?.detail).toMatch(/^cpu0: /);
    }
  });
});

describe('an address', () => {
  const judgeUrl = async (options: JudgementOptions) =>
    runJudgement('http://127.0.0.1:9', options, new AbortController().signal);

  it('is judged under the policy of a client, with a nonce of its own', async () => {
    expect((await errorOf(judgeUrl(snp())))?.detail).toMatch(/fresh nonce/);
    const fresh = { reportData: undefined, endorsements: undefined };
    expect((await errorOf(judgeUrl(snp(fresh))))?.detail).toMatch(/says nothing about releases/);
    expect((await errorOf(judgeUrl(snp({ ...fresh, format: 'snp' }))))?.detail).toMatch(
      /sends its endorsements itself/,
    );
  });
});

describe('an explanation', () => {
  it('ends with the check that failed, after those that ran before it', async () => {
    const { error, checks } = await judgeFile('snp.bin', snp({ reportData: '11'.repeat(64) }));
    expect(error?.code).toBe('SNP_REPORT_DATA_MISMATCH');
    expect(checks.length).toBeGreaterThan(30);
    expect(checks.findIndex((check) => check.outcome === 'failed')).toBe(checks.length - 1);
    expect(checks.at(-1)).toEqual({
      code: 'SNP_REPORT_DATA_MISMATCH',
      outcome: 'failed',
      expected: '11'.repeat(64),
      actual: folder.reportData,
    });
  });

  it('names what could not even be read: that is a result, and reports show it', async () => {
    await folder.write('cut.json', '["application/vnd.fastness.tdx-quote", "***"]');
    const judgement = await judgeFile('cut.json', snp());
    expect(judgement.error?.code).toBe('CMW_MALFORMED');
    expect(judgement.checks).toMatchObject([{ code: 'CMW_MALFORMED', outcome: 'failed' }]);
    expect(junitOf(judgement)).toContain('<failure type="CMW_MALFORMED"');
  });
});

const sarifSchema = z.looseObject({
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z.looseObject({
        tool: z.looseObject({ driver: z.looseObject({ rules: z.array(z.looseObject({ id: z.string() })) }) }),
        results: z.array(
          z.looseObject({ ruleId: z.string(), ruleIndex: z.int(), kind: z.string(), level: z.string() }),
        ),
      }),
    )
    .length(1),
});

describe('reports for pipelines', () => {
  it.each([true, false])('say the same as the judgement (accepted: %s)', async (accept) => {
    const judgement = await judgeFile('snp.bin', snp(accept ? {} : { reportData: '00'.repeat(64) }));
    const [run] = sarifSchema.parse(JSON.parse(sarifOf(judgement, '1.2.3'))).runs;
    const failed = run?.results.filter(({ kind }) => kind === 'fail') ?? [];
    for (const { kind, level } of run?.results ?? []) expect(level === 'none').toBe(kind !== 'fail');
    expect(failed.map(({ ruleId, level }) => [ruleId, level])).toEqual(
      accept ? [] : [['SNP_REPORT_DATA_MISMATCH', 'error']],
    );
    expect(run?.results).toHaveLength(judgement.checks.length);
    for (const { ruleId, ruleIndex } of run?.results ?? []) expect(run?.tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
    const xml = junitOf(judgement);
    expect(xml).toContain(`failures="${accept ? 0 : 1}"`);
    expect(xml.includes('<failure type="SNP_REPORT_DATA_MISMATCH"')).toBe(!accept);
    expect(xml.match(/<testcase /g)).toHaveLength(judgement.checks.length);
  });

  it('carry waivers, and nothing that ends an attribute', async () => {
    const reason = 'a "quoted" <b>reason</b> & \u0007\u202e';
    const judgement = await judgeFile('snp.bin', snp({ reportData: undefined, withoutNonce: reason }));
    const xml = junitOf(judgement);
    expect(xml).toContain('value="a &quot;quoted&quot; &lt;b&gt;reason&lt;/b&gt; &amp; \ufffd');
    expect(sarifOf(judgement, '1')).toContain('"level": "warning"');
  });
});

const tdx = {
  measurements: ['ab'.repeat(48)],
  rtmrs: {},
  tcbStatuses: ['UpToDate'],
  minimumTcbEvaluationDataNumber: 20,
};
const nras = { deviceCount: 1, kinds: ['gpu'], models: ['GH100'] };
const sgx = {
  signers: [{ mrSigner: 'ab'.repeat(32), isvProdId: 1, minimumIsvSvn: 1 }],
  tcbStatuses: ['UpToDate'],
  minimumTcbEvaluationDataNumber: 20,
};

describe('a policy file', () => {
  const check = async (text: string | Uint8Array) =>
    loadPolicy(await folder.write('checked.yaml', text), new Date(folder.at));
  const yaml = (more: string) =>
    `# a comment\nversion: 1\nid: example\nwaivers: []\nsnp:\n  products: [Genoa]\n  signingKeys: [vcek]\n  vmpl: [0]\n  minimumTcb: {}\n  smt: allow\n${more}`;
  const measurements = `  measurements: ['${'ab'.repeat(48)}']\n`;

  it('may be YAML, and is explained field by field, absent ones included', async () => {
    const { policy } = await check(yaml(measurements));
    expect(explainPolicy(policy)).toContainEqual({
      path: 'snp.hostData',
      means: 'any; the host chooses it at launch.',
      present: false,
    });
    expect(absentSections(policy)).toContain('tdx');
    expect(absentSections(policy)).not.toContain('snp');
    expect(warningsOf(policy).map(({ path }) => path)).toEqual(['snp.requireAliasCheck', 'snp.chipIds']);
  });

  it.each([
    ['the simulated TEE', { simulated: { arkSpkiSha256: 'ab'.repeat(32) } }, {}, 'simulated'],
    ['a waiver', { waivers: [{ check: 'SNP_CRL_MISSING', reason: 'no network' }] }, {}, 'waivers'],
    ['a GPU without a section', { devices: [{ kind: 'nvidia-gpu', minimum: 1 }] }, {}, 'devices'],
    ['Milan', {}, { products: ['Milan'] }, 'snp.products'],
    ['any generation', {}, { products: undefined, denyProducts: ['Turin'] }, 'snp.products'],
    ['no floor', {}, { minimumTcb: { Genoa: {} } }, 'snp.minimumTcb'],
    ['no floor on Turin', {}, { products: ['Turin'] }, 'snp.minimumTcb'],
    ['a VLEK', {}, { signingKeys: ['vlek'] }, 'snp.signingKeys'],
    ['a VMPL above', {}, { vmpl: [1] }, 'snp.vmpl'],
    ['TDs without RTMRs', { tdx }, {}, 'tdx.rtmrs'],
    ['TDs that a host can fault', { tdx: { ...tdx, septVeDisable: 'any' } }, {}, 'tdx.septVeDisable'],
    ['an outdated TCB', { tdx: { ...tdx, tcbStatuses: ['OutOfDate'] } }, {}, 'tdx.tcbStatuses'],
    ['any advisory', { tdx: { ...tdx, tcbStatuses: ['UpToDate', 'SWHardeningNeeded'] } }, {}, 'tdx.advisories'],
    [
      'no floor on TCB info',
      { tdx: { ...tdx, minimumTcbEvaluationDataNumber: 0 } },
      {},
      'tdx.minimumTcbEvaluationDataNumber',
    ],
    ['any enclave of a signer', { sgx }, {}, 'sgx.measurements'],
    ['a token of a service', { nvidiaNras: nras }, {}, 'nvidiaNras'],
    ['tokens with warnings', { nvidiaNras: { ...nras, warnings: 'allow' } }, {}, 'nvidiaNras.warnings'],
    ['an unprotected NVLink', { nvidiaGpu: { architectures: ['hopper'], modes: ['ppcie'] } }, {}, 'nvidiaGpu.modes'],
    ['any GPU', { nvidiaGpu: { architectures: ['hopper'] } }, {}, 'nvidiaGpu.devices'],
    ['old documents', { nitro: { measurements: ['ab'.repeat(48)], maxAgeSeconds: 7200 } }, {}, 'nitro.maxAgeSeconds'],
  ])('warns of %s', async (_what, more, section, path) => {
    const base = await check(yaml(measurements));
    const given: Record<string, unknown> = { ...base.policy, ...more, snp: { ...base.policy.snp, ...section } };
    const { policy } = await check(JSON.stringify(given));
    expect(warningsOf(base.policy).map((each) => each.path)).not.toContain(path);
    expect(warningsOf(policy).map((each) => each.path)).toContain(path);
  });

  it.each([
    ['a repeated key', yaml(`${measurements}  smt: refuse\n`), 'CLI_POLICY_SYNTAX'],
    ['a repeated key of JSON', '{"version":1,"version":1}', 'CLI_POLICY_SYNTAX'],
    ['an alias', yaml(`  measurements: &m ['${'ab'.repeat(48)}']\n  idKeyDigests: *m\n`), 'CLI_POLICY_SYNTAX'],
    ['an anchor alone', yaml(`  measurements: &m ['${'ab'.repeat(48)}']\n`), 'CLI_POLICY_SYNTAX'],
    ['a tag', yaml(`  measurements: !!set ['${'ab'.repeat(48)}']\n`), 'CLI_POLICY_SYNTAX'],
    ['a standard tag', yaml(`${measurements}  smt: !!str allow\n`), 'CLI_POLICY_SYNTAX'],
    ['a tag of its own', yaml(`  measurements: !import x\n`), 'CLI_POLICY_SYNTAX'],
    ['two documents', `${yaml(measurements)}---\nversion: 1\n`, 'CLI_POLICY_SYNTAX'],
    ['hex that reads as a number', yaml(`  measurements: [${'12'.repeat(48)}]\n`), 'CLI_POLICY_SYNTAX'],
    ['hex that reads as infinity', yaml(`  measurements: [12e${'9'.repeat(93)}]\n`), 'CLI_POLICY_SYNTAX'],
    ['bytes that are not UTF-8', Uint8Array.of(0x76, 0xe9, 0x3a, 0x31), 'CLI_POLICY_SYNTAX'],
    ['a merge key', yaml(`${measurements}  <<: {smt: refuse}\n`), 'ATTEST_POLICY_INVALID'],
    ['an attestation policy inside one', yaml(`${measurements}attestation: {}\n`), 'ATTEST_POLICY_INVALID'],
    ['a misspelt field', yaml(`${measurements}  minimumTCB: {}\n`), 'ATTEST_POLICY_INVALID'],
    ['nothing', '', 'ATTEST_POLICY_INVALID'],
  ])('is refused with %s', async (_what, text, code) => {
    await expect(check(text)).rejects.toMatchObject({ exitCode: 2, code });
  });
});
