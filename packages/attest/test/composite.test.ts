import { toHex } from '@fastness/codec';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import { describe, expect, it } from 'vitest';
import {
  checksOf,
  cmwCollectionFromCbor,
  cmwCollectionToCbor,
  cmwCollectionFromJson,
  isCompositeVerdict,
  parseAttestationPolicy,
  readEar,
  reportDataFor,
  toEar,
  verifyEvidence,
  type CmwCollection,
  type CompositeVerdict,
} from '../src/index.ts';
import { bytes, compositeFailures, two } from './support/composite-failures.ts';
import { judgeComposite, prepareComposite, session, type CompositeScenario } from './support/composite-forge.ts';
import { codeOf } from './support/errors.ts';
import { now, prepare } from './support/forge.ts';
import { prepareNvidia } from './support/nvidia-forge.ts';

async function composite(scenario: CompositeScenario = {}): Promise<CompositeVerdict> {
  const verdict = await judgeComposite(scenario);
  if (!isCompositeVerdict(verdict)) throw new Error('not composite');
  return verdict;
}

describe('a collection', () => {
  it('is accepted with a verdict for each part', async () => {
    const { claims, parts, checks, waivers, policyId } = await composite({ gpus: two });
    expect(claims.tee).toBe('sev-snp');
    expect(Object.entries(parts).map(([label, part]) => [label, part.claims.tee])).toEqual([
      ['cpu0', 'sev-snp'],
      ['gpu0', 'nvidia-gpu'],
      ['gpu1', 'nvidia-gpu'],
    ]);
    expect(new Set(checks.map(({ part }) => part))).toEqual(new Set([undefined, 'cpu0', 'gpu0', 'gpu1']));
    expect(waivers).toEqual([]);
    expect(policyId).toBe('composite');
  });

  it('may hold switches and a TPM as well, each under its own label and its own nonce', async () => {
    const { evidence, ...options } = await prepareComposite({
      gpus: { gpu0: {}, nvswitch0: { kind: 'nvswitch' } },
      tpm: {},
    });
    const verdict = await verifyEvidence({ ...options, evidence });
    expect(
      isCompositeVerdict(verdict) && Object.entries(verdict.parts).map(([label, part]) => [label, part.claims.tee]),
    ).toEqual([
      ['cpu0', 'sev-snp'],
      ['gpu0', 'nvidia-gpu'],
      ['nvswitch0', 'nvidia-nvswitch'],
      ['tpm0', 'tpm'],
    ]);
    const gpus = { gpu0: {}, nvswitch0: { kind: 'nvswitch' as const } };
    expect(await codeOf(judgeComposite({ gpus, askedAs: { nvswitch0: 'nvswitch1' } }))).toBe('NVIDIA_NONCE_MISMATCH');
    expect(await codeOf(judgeComposite({ tpm: { quote: { nonce: bytes(9) } } }))).toBe('TPM_NONCE_MISMATCH');
  });

  it('may be of a whole machine: eight GPUs and four switches', async () => {
    const device = (kind: 'gpu' | 'nvswitch') => (_: unknown, index: number) =>
      [`${kind}${index}`, { kind, chain: { chipSerial: BigInt(0x2000 + index) } }] as const;
    const gpus = [...Array.from({ length: 8 }, device('gpu')), ...Array.from({ length: 4 }, device('nvswitch'))];
    const { parts } = await composite({ gpus: Object.fromEntries(gpus) });
    expect(Object.keys(parts)).toHaveLength(13);
  });

  it('may be of the processor alone, which is then bound as without a collection', async () => {
    expect(Object.keys((await composite({ gpus: {} })).parts)).toEqual(['cpu0']);
    const { evidence, ...options } = await prepareComposite({ gpus: {} });
    const [cpu] = evidence.records.values();
    if (cpu === undefined) throw new Error('no processor');
    expect(await codeOf(verifyEvidence({ ...options, evidence: cpu }))).toBe('accepted');
  });

  it('reports the waivers of every part under its label', async () => {
    const { waivers } = await composite({
      cpu: { crls: () => [] },
      policy: { waivers: [{ check: 'SNP_CRL_MISSING', reason: 'no network' }] },
    });
    expect(waivers).toMatchObject([{ check: 'SNP_CRL_MISSING', reason: 'no network', part: 'cpu0' }]);
  });

  it.each(compositeFailures)('is refused with %s %s', async (code, _what, scenario) => {
    expect(await codeOf(judgeComposite(scenario))).toBe(code);
  });

  it('is refused with a known error, or means the same, whatever byte of it is changed', async () => {
    const { evidence, ...options } = await prepareComposite();
    const sent = cmwCollectionToCbor(evidence);
    const said = JSON.stringify(withoutIndicators(evidence));
    // Every byte of the frame, and samples of the values.
    const positions = [...sent.keys()].filter((at) => at < 80 || at % 97 === 0 || sent.length - at < 40);
    for (const at of positions) {
      const changed = sent.map((byte, index) => (index === at ? byte ^ (1 << (at % 8)) : byte));
      try {
        const read = cmwCollectionFromCbor(changed);
        await verifyEvidence({ ...options, evidence: read });
        expect(`${at}: ${JSON.stringify(withoutIndicators(read))}`).toBe(`${at}: ${said}`);
      } catch (error) {
        if (!(error instanceof FastnessError)) throw error;
        expect(isErrorCode(error.code)).toBe(true);
        expect(error.class).not.toBe('internal');
      }
    }
  });

  it('names the part that was refused, and what had passed before', async () => {
    const error: unknown = await judgeComposite({ gpus: two, askedAs: { gpu1: 'gpu7' } }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'NVIDIA_NONCE_MISMATCH', detail: expect.stringMatching(/^gpu1: /) });
    const { before = [], failed } = checksOf(error) ?? {};
    expect(failed).toMatchObject({ code: 'NVIDIA_NONCE_MISMATCH', part: 'gpu1' });
    expect(new Set(before.map(({ part }) => part))).toEqual(new Set([undefined, 'cpu0', 'gpu0', 'gpu1']));
  });

  it('is not moved by buffers that change while it is verified', async () => {
    const options = await prepareComposite();
    const pending = verifyEvidence(options);
    for (const { value } of [...options.evidence.records.values(), ...options.endorsements]) value.fill(0);
    expect(await codeOf(pending)).toBe('accepted');
  });

  it('needs a session, and one piece of evidence needs that or report data', async () => {
    const { session: _, ...rest } = await prepareComposite();
    // @ts-expect-error A collection has no report data of its own.
    expect(await codeOf(verifyEvidence({ ...rest, expectedReportData: new Uint8Array(64) }))).toBe(
      'ATTEST_ARGUMENT_INVALID',
    );
    const single = await prepare();
    expect(await codeOf(verifyEvidence({ ...single, session }))).toBe('ATTEST_ARGUMENT_INVALID');
    const { expectedReportData: _none, ...unbound } = single;
    // @ts-expect-error A session is an object with four fields.
    expect(await codeOf(verifyEvidence({ ...unbound, session: null }))).toBe('ATTEST_ARGUMENT_INVALID');
    expect(await codeOf(verifyEvidence({ ...unbound, session: { ...session, nonce: bytes(1).slice(1) } }))).toBe(
      'ATTEST_BINDING_INPUT',
    );
  });
});

describe('evidence without a collection', () => {
  it('does not get round the devices that a policy requires', async () => {
    const { policy } = await prepareComposite();
    const single = await prepare();
    expect(await codeOf(verifyEvidence({ ...single, policy }))).toBe('ATTEST_DEVICE_MISSING');
  });

  it('of a device alone does not stand for a machine', async () => {
    const device = await prepareNvidia();
    expect(await codeOf(verifyEvidence(device))).toBe('accepted');
    const devices = [{ kind: 'nvidia-gpu' as const, minimum: 0, maximum: 1 }];
    expect(await codeOf(verifyEvidence({ ...device, policy: { ...device.policy, devices } }))).toBe(
      'ATTEST_CPU_NOT_ONE',
    );
  });
});

describe('evidence of a device alone', () => {
  // A policy without `devices` may judge devices one by one; that must not let a GPU stand in for the machine.
  it.each([
    ['gpu', 'nvidia-gpu'],
    ['nvswitch', 'nvidia-nvswitch'],
  ] as const)('binds no session: %s', async (kind, tee) => {
    const machine = await prepare();
    const nonce = await reportDataFor(tee, { ...session, deviceEvidenceDigest: null });
    const { expectedReportData: _, ...device } = await prepareNvidia({ kind, report: { nonce } });
    const policy = parseAttestationPolicy({ ...machine.policy, ...device.policy });
    expect(await codeOf(verifyEvidence({ ...device, policy, expectedReportData: nonce }))).toBe('accepted');
    expect(await codeOf(verifyEvidence({ ...device, policy, session }))).toBe('ATTEST_CPU_NOT_ONE');
  });
});

describe('the result for a collection', () => {
  const common = {
    verifierId: { developer: 'https://example.org', build: 'test 1' },
    policyId: 'composite',
    nonce: session.nonce,
    issuedAt: now,
  };

  it('has a submodule for each part, and is as bad as the worst', async () => {
    const { evidence } = await prepareComposite({ gpus: two });
    const ear = toEar(await composite({ gpus: two }), { ...common, rawEvidence: evidence });
    const read = readEar(JSON.parse(JSON.stringify(ear)));
    expect(Object.keys(read.submodules)).toEqual(['cpu0', 'gpu0', 'gpu1']);
    expect(read.status).toBe(ear.ear_status);
    for (const { vector } of Object.values(read.submodules)) expect(Object.keys(vector).length).toBeGreaterThan(0);
    expect(cmwCollectionFromJson(read.rawEvidence).records.size).toBe(3);
    const waived = await composite({
      cpu: { report: { policy: 0xb_0000n } },
      policy: { waivers: [{ check: 'SNP_DEBUG_ALLOWED', reason: 'a test' }] },
    });
    const worse = toEar(waived, { ...common, rawEvidence: evidence });
    expect(worse.ear_status).toBe('contraindicated');
    expect(worse.submods['gpu0']?.ear_status).toBe(ear.submods['gpu0']?.ear_status);
  });

  it('cannot be overstated', async () => {
    const { evidence } = await prepareComposite();
    const ear = toEar(await composite(), { ...common, rawEvidence: evidence });
    const bad = { ...ear.submods['gpu0'], ear_status: 'contraindicated' };
    const overstated = { ...ear, ear_status: 'affirming', submods: { ...ear.submods, gpu0: bad } };
    expect(await codeOf(() => readEar(overstated))).toBe('EAR_STATUS_OVERSTATED');
  });
});

/** What a collection says; the indicator of a record is a hint that nothing looks at. */
function withoutIndicators({ type, records }: CmwCollection): unknown {
  const parts = [...records].map(([label, { type: media, value }]) => `${label} ${media} ${toHex(value)}`);
  return [type, ...parts.toSorted((left, right) => (left < right ? -1 : 1))];
}
