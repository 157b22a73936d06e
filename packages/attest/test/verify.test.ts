import { describe, expect, it } from 'vitest';
import {
  amdAnchors,
  checksOf,
  evidenceFormats,
  parseAttestationPolicy,
  sectionOf,
  trustworthinessOf,
  verifyEvidence,
  verifyRecordedEvidence,
  withMeasurements,
  type VerifyEvidenceOptions,
} from '../src/index.ts';
import { appraise, authenticate, parse, type AuthenticReport } from '../src/formats/snp/index.ts';
import { codeOf } from './support/errors.ts';
import { prepare } from './support/forge.ts';
import { prepareNitro } from './support/nitro-forge.ts';

const { chain: _, ...options } = await prepare();
const with_ = (change: Partial<VerifyEvidenceOptions>) => verifyEvidence({ ...options, ...change });

describe('verifyEvidence', () => {
  it('refuses a policy whose measurements were not filled in', async () => {
    const { policy } = options;
    const { snp } = policy;
    if (snp === undefined) throw new Error('the forged policy is for SEV-SNP');
    const open = { ...policy, snp: { ...snp, measurements: 'from-release' as const } };
    expect(await codeOf(with_({ policy: open }))).toBe('ATTEST_POLICY_INCOMPLETE');
    const { measurements } = snp;
    const filled = withMeasurements(open, measurements === 'from-release' ? [] : measurements);
    expect(await codeOf(with_({ policy: filled }))).toBe('accepted');
  });

  it('refuses evidence of a TEE that the policy has no section for', async () => {
    const policy = { ...options.policy };
    Reflect.deleteProperty(policy, 'snp');
    // Without any section it would not be a policy at all.
    expect(await codeOf(with_({ policy }))).toBe('ATTEST_POLICY_INVALID');
    expect(await codeOf(() => sectionOf(policy, 'snp'))).toBe('ATTEST_TEE_NOT_ALLOWED');
    expect(await codeOf(() => withMeasurements(policy, ['ab'.repeat(48)]))).toBe('ATTEST_TEE_NOT_ALLOWED');
  });

  it('checks a policy that nobody parsed', async () => {
    const policy = structuredClone(options.policy);
    expect(await codeOf(with_({ policy }))).toBe('accepted');
    Reflect.set(policy.snp ?? {}, 'measurements', 'any');
    expect(await codeOf(with_({ policy }))).toBe('ATTEST_POLICY_INVALID');
  });

  it('needs an expectation of the report data', async () => {
    expect(await codeOf(with_({ expectedReportData: new Uint8Array(63) }))).toBe('ATTEST_ARGUMENT_INVALID');
    const missing = { ...options };
    Reflect.deleteProperty(missing, 'expectedReportData');
    expect(await codeOf(verifyEvidence(missing))).toBe('ATTEST_ARGUMENT_INVALID');
  });

  it('needs a time', async () => {
    expect(await codeOf(with_({ now: new Date(Number.NaN) }))).toBe('ATTEST_ARGUMENT_INVALID');
    const missing = { ...options };
    Reflect.deleteProperty(missing, 'now');
    expect(await codeOf(verifyEvidence(missing))).toBe('ATTEST_ARGUMENT_INVALID');
  });

  it('needs endorsements, if only an empty list, and roots', async () => {
    for (const change of [{ endorsements: options.endorsements[0] }, { anchors: 'Intel' }] as object[]) {
      expect(await codeOf(verifyEvidence({ ...options, ...change }))).toBe('ATTEST_ARGUMENT_INVALID');
    }
  });

  it.each(['evidence', 'endorsements', 'policy', 'anchors', 'now', 'expectedReportData'])(
    'names the argument that is missing: %s',
    async (name) => {
      for (const value of [undefined, null]) {
        const attempt = verifyEvidence({ ...options, [name]: value });
        await expect(attempt).rejects.toMatchObject({ code: 'ATTEST_ARGUMENT_INVALID' });
        await expect(attempt).rejects.toThrow(`Missing: ${name}`);
      }
    },
  );

  it('says what it takes when it is given nothing', async () => {
    const call = verifyEvidence as (options?: unknown) => Promise<unknown>;
    for (const nothing of [undefined, null, 'evidence']) {
      const attempt = call(nothing);
      await expect(attempt).rejects.toMatchObject({ code: 'ATTEST_ARGUMENT_INVALID' });
      await expect(attempt).rejects.toThrow('evidence, endorsements, policy, anchors, now');
    }
    await expect(call({})).rejects.toThrow('Missing: evidence, endorsements, policy, anchors, now, expectedReportData');
  });

  it('reads a handful of endorsements, not any number', async () => {
    const [endorsement] = options.endorsements;
    const endorsements = Array.from({ length: 9 }, () => endorsement).filter((each) => each !== undefined);
    expect(await codeOf(with_({ endorsements }))).toBe('ATTEST_ENDORSEMENT_MALFORMED');
    expect(await codeOf(with_({ endorsements: endorsements.slice(1) }))).toBe('accepted');
  });

  it('trusts no root of its own', async () => {
    expect(await codeOf(with_({ anchors: { snp: [] } }))).toBe('SNP_ARK_NOT_PINNED');
    expect(await codeOf(with_({ anchors: amdAnchors }))).toBe('SNP_ARK_NOT_PINNED');
  });

  it('knows what it does not know', async () => {
    const { evidence } = options;
    expect(await codeOf(with_({ evidence: { ...evidence, type: 'application/vnd.example+cbor' } }))).toBe(
      'ATTEST_EVIDENCE_UNSUPPORTED',
    );
    expect(await codeOf(with_({ endorsements: [evidence] }))).toBe('ATTEST_ENDORSEMENT_UNSUPPORTED');
    expect(await codeOf(with_({ evidence: { ...evidence, type: '' } }))).toBe('CMW_MALFORMED');
    expect(Object.isFrozen(evidenceFormats)).toBe(true);
  });

  it('is not moved by a buffer that changes while it works', async () => {
    const evidence = { ...options.evidence, value: options.evidence.value.slice() };
    const endorsements = options.endorsements.map((endorsement) => ({
      ...endorsement,
      value: endorsement.value.slice(),
    }));
    const pending = verifyEvidence({ ...options, evidence, endorsements });
    evidence.value.fill(0);
    for (const endorsement of endorsements) endorsement.value.fill(0);
    expect(await codeOf(pending)).toBe('accepted');
  });

  it('gives the same answer every time', async () => {
    const [first, second] = await Promise.all([verifyEvidence(options), verifyEvidence(options)]);
    expect(first).toEqual(second);
    expect(Object.isFrozen(first) && Object.isFrozen(first.claims) && Object.isFrozen(first.checks)).toBe(true);
  });
});

describe('verifyRecordedEvidence', () => {
  const { expectedReportData: _bound, ...recorded } = options;
  const reason = 'a recorded example';

  it('checks everything but the binding, and reports that as a waiver', async () => {
    const verdict = await verifyRecordedEvidence({ ...recorded, reason });
    const bound = await verifyEvidence(options);
    expect(verdict.claims).toEqual(bound.claims);
    expect(verdict.checks.slice(0, -1)).toEqual(bound.checks);
    expect(verdict.checks.at(-1)).toMatchObject({ code: 'ATTEST_BINDING_UNCHECKED', outcome: 'waived' });
    expect(verdict.waivers).toMatchObject([{ check: 'ATTEST_BINDING_UNCHECKED', reason }]);
    // Nobody may take the result for one about a machine that answers now.
    expect(trustworthinessOf(verdict)).toMatchObject({ 'instance-identity': 32, 'runtime-opaque': 32 });
  });

  it('needs a reason, and still refuses what is not genuine or not allowed', async () => {
    expect(await codeOf(verifyRecordedEvidence({ ...recorded, reason: ' ' }))).toBe('ATTEST_ARGUMENT_INVALID');
    expect(await codeOf(verifyRecordedEvidence({ ...recorded, reason, anchors: {} }))).toBe('SNP_ARK_NOT_PINNED');
    const named = { ...options.policy, waivers: [{ check: 'ATTEST_BINDING_UNCHECKED', reason }] };
    expect(await codeOf(() => parseAttestationPolicy(named))).toBe('ATTEST_POLICY_INVALID');
  });

  it('refuses evidence that is bound to nothing', async () => {
    const { expectedReportData: _none, ...nitro } = await prepareNitro({ section: { binding: 'nonce' } });
    expect(await codeOf(verifyRecordedEvidence({ ...nitro, reason }))).toBe('ATTEST_BINDING_UNKNOWN');
  });
});

describe('checksOf', () => {
  it('says which checks ran before the one that failed', async () => {
    const error: unknown = await with_({ expectedReportData: new Uint8Array(64) }).catch((thrown: unknown) => thrown);
    const { before = [], failed } = checksOf(error) ?? {};
    const { checks } = await verifyEvidence(options);
    expect(before).toEqual(checks.slice(0, before.length));
    expect(checks[before.length]?.code).toBe('SNP_REPORT_DATA_MISMATCH');
    expect(failed).toMatchObject({ code: 'SNP_REPORT_DATA_MISMATCH', expected: '00'.repeat(64) });
    expect(checksOf(new Error('another'))).toBeUndefined();
    expect(checksOf('text')).toBeUndefined();
  });
});

describe('stages', () => {
  const stages = async () => {
    const parsed = parse(options.evidence, options.endorsements);
    return { parsed, authentic: await authenticate(parsed, options) };
  };

  it('follow each other', async () => {
    const { parsed, authentic } = await stages();
    expect(parsed.report.version).toBe(5);
    expect(authentic.product.name).toBe('Milan');
    expect(appraise(authentic, options).claims.tee).toBe('sev-snp');
  });

  it('cannot be skipped: the types do not fit', async () => {
    const { parsed, authentic } = await stages();
    // @ts-expect-error A parsed report is not an authentic one.
    expect(await codeOf(() => appraise(parsed, options))).toBe('ATTEST_STAGE_SKIPPED');
    // @ts-expect-error An authentic report is not a parsed one.
    expect(await codeOf(authenticate(authentic, options))).toBe('ATTEST_STAGE_SKIPPED');
    const copy = Object.assign({}, authentic);
    expect(await codeOf(() => appraise(copy, options))).toBe('ATTEST_STAGE_SKIPPED');
    const exchanged = Object.assign({}, parsed, { report: { ...parsed.report, measurement: '' } });
    expect(await codeOf(authenticate(exchanged, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('cannot be skipped: the fields alone do not make a report', async () => {
    const { authentic } = await stages();
    const { simulated, report, product, signingKey, identity, tcb, at, checks, waivers } = authentic;
    // @ts-expect-error All that is missing is what only authenticate() can give.
    const copy: AuthenticReport = { simulated, report, product, signingKey, identity, tcb, at, checks, waivers };
    expect(await codeOf(() => appraise(copy, options))).toBe('ATTEST_STAGE_SKIPPED');
  });

  it('hand on what nobody can change', async () => {
    const { parsed, authentic } = await stages();
    for (const value of [parsed, parsed.report, parsed.report.policy, authentic, authentic.tcb, authentic.identity]) {
      expect(Object.isFrozen(value)).toBe(true);
    }
  });
});
