import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceNonceOf, verifyEvidence, type Cmw } from '@fastness/attest';
import { decodeNvidiaEvidence } from '@fastness/attest/formats/nvidia';
import { encodePem } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { nvidiaCases, nvidiaOptions } from '../../attest/test/support/nvidia-cases.ts';
import { prepareComposite, session } from '../../attest/test/support/composite-forge.ts';
import { vectorsPresent } from '../../attest/test/support/vectors.ts';
import { collectSession, openNvidiaGpus, type Collector, type NvidiaGpus, type NvmlOptions } from '../src/index.ts';
import { compilerInstalled } from './support/fake-ioctl.ts';
import { buildFakeNvml, type FakeGpu, type FakeNvml } from './support/fake-nvml.ts';
import { codeOf } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const pemOf = (certificates: readonly Uint8Array[]): Uint8Array =>
  new TextEncoder().encode(certificates.map((der) => encodePem(der, 'CERTIFICATE')).join(''));
const gpuOf = (evidence: Cmw): FakeGpu => {
  const { report, certificates } = decodeNvidiaEvidence(evidence);
  return { report, chain: pemOf(certificates) };
};
const nonceIn = (report: Uint8Array): Uint8Array => report.slice(4, 36);
const anyNonce = new Uint8Array(32).fill(7);
/** Nothing but a header and a nonce: enough for a collector, which leaves judging to the verifier. */
const plain: FakeGpu = {
  report: Uint8Array.of(0x11, 0xe0, 1, 0xff, ...anyNonce, 0),
  chain: pemOf([Uint8Array.of(0x30, 0)]),
};

describe.skipIf(!compilerInstalled)('GPUs through NVML', () => {
  let folder: string;
  let fake: FakeNvml;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-nvml-'));
    fake = buildFakeNvml(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const opened = (options: NvmlOptions = {}): Promise<NvidiaGpus> =>
    openNvidiaGpus({ library: fake.library, ...options });
  const using = async <T>(work: (gpus: NvidiaGpus) => Promise<T>, options?: NvmlOptions): Promise<T> => {
    const gpus = await opened(options);
    try {
      return await work(gpus);
    } finally {
      await gpus.close();
    }
  };
  const first = ({ collectors }: NvidiaGpus): Collector => collectors.get('gpu0') ?? expect.fail('no gpu0');
  const collectCode = async (): Promise<string> =>
    codeOf(using(async (gpus) => await first(gpus).collect(anyNonce)).then(() => undefined));

  it('are accepted by the verifier with the processor, two of them, each under its own nonce', async () => {
    const gpus = { gpu0: { chain: { chipSerial: 0x1001n } }, gpu1: { chain: { chipSerial: 0x1002n } } };
    const { evidence, ...options } = await prepareComposite({ gpus });
    const recordOf = (label: string): Cmw => evidence.records.get(label) ?? expect.fail(label);
    fake.set([gpuOf(recordOf('gpu0')), gpuOf(recordOf('gpu1'))]);
    const cpu: Collector = {
      name: 'processor',
      tee: 'sev-snp',
      simulated: false,
      detect: async () => ({ present: true, detail: '' }),
      // The digest of what the GPUs should give is in its report data: other evidence would not verify.
      collect: async () => ({ evidence: recordOf('cpu0'), endorsements: [] }),
    };
    await using(async ({ collectors, settings }) => {
      expect(settings).toEqual({
        confidentialComputing: true,
        developerTools: false,
        multiGpuMode: 'none',
        ready: true,
      });
      const collected = await collectSession({ cpu, devices: collectors }, session);
      expect(fake.nonceOf(0)).toEqual(await deviceNonceOf(session, 'gpu0'));
      expect(fake.nonceOf(1)).toEqual(await deviceNonceOf(session, 'gpu1'));
      const verdict = await verifyEvidence({ ...options, evidence: collected.evidence });
      expect(verdict).toMatchObject({ waivers: [] });
      // Left out, exchanged or once more: refused.
      const only = new Map([...collectors].filter(([label]) => label === 'gpu0'));
      const less = await collectSession({ cpu, devices: only }, session);
      expect(await codeOf(verifyEvidence({ ...options, evidence: less.evidence }).then(() => undefined))).toBe(
        'SNP_REPORT_DATA_MISMATCH',
      );
    });
    expect(fake.open()).toBe(0);
    // Developer tools are the driver's word, and reach the verifier.
    fake.set([gpuOf(recordOf('gpu0'))], { tools: 1 });
    const told = await using(
      async (opened_) => await first(opened_).collect(nonceIn(gpuOf(recordOf('gpu0')).report ?? anyNonce)),
    );
    expect(decodeNvidiaEvidence(told.evidence).settings).toEqual({ confidentialComputing: true, developerTools: true });
  });

  it.skipIf(!vectorsPresent)('of recorded machines are accepted as they were recorded', async () => {
    const recorded = nvidiaCases.filter(({ tee, verdict }) => tee === 'nvidia-gpu' && verdict === 'accept');
    const machine = [...new Map(recorded.map((one) => [String(one.report()), one])).values()].slice(0, 8);
    expect(machine.length).toBeGreaterThan(4);
    fake.set(
      machine.map((one) => ({
        report: one.report(),
        chain: pemOf(one.certificates()),
        architecture: one.name.includes('H100') ? 9 : 10,
      })),
    );
    await using(async ({ collectors }) => {
      for (const [index, one] of machine.entries()) {
        const collector = collectors.get(`gpu${index}`) ?? expect.fail(one.name);
        const { evidence } = await collector.collect(nonceIn(one.report()));
        const { claims } = await verifyEvidence({ ...nvidiaOptions(one), evidence });
        expect(claims, one.name).toMatchObject({ tee: 'nvidia-gpu', ...one.claims });
      }
    });
  });

  it('take settings of older drivers, and those of protected PCIe', async () => {
    const old = buildFakeNvml(folder, 'NO_SETTINGS');
    old.set([plain], { tools: 1 });
    await using(
      async ({ settings }) =>
        expect(settings).toEqual({
          confidentialComputing: true,
          developerTools: true,
          multiGpuMode: undefined,
          ready: undefined,
        }),
      { library: old.library },
    );
    fake.set([plain], { cc: 0, multi: 1, ready: 0 });
    await using(async ({ settings }) =>
      expect(settings).toMatchObject({ confidentialComputing: false, multiGpuMode: 'protected-pcie', ready: false }),
    );
  });

  it('are refused by a code of its own for each thing that is missing', async () => {
    const report = 'nvmlDeviceGetConfComputeGpuAttestationReport';
    const settings = { nvmlSystemGetConfComputeSettings: 3, nvmlSystemGetConfComputeState: 3 };
    const cases: readonly (readonly [ErrorCode, () => void])[] = [
      ['EVIDENCE_GPU_ABSENT', () => fake.set([])],
      ['EVIDENCE_GPU_UNSUPPORTED', () => fake.set([plain, { ...plain, architecture: 7 }])],
      ['EVIDENCE_GPU_UNSUPPORTED', () => fake.set([plain], {}, { [report]: 3 })],
      ['EVIDENCE_GPU_CC_OFF', () => fake.set([plain], { cc: 0 })],
      ['EVIDENCE_GPU_CC_OFF', () => fake.set([plain], {}, settings)],
      ['EVIDENCE_GPU_DRIVER', () => fake.set([plain], {}, { nvmlInit_v2: 9 })],
      ['EVIDENCE_GPU_DRIVER_VERSION', () => fake.set([plain], {}, { nvmlInit_v2: 18 })],
      ['EVIDENCE_GPU_PERMISSION', () => fake.set([plain], {}, { nvmlInit_v2: 4 })],
      ['EVIDENCE_GPU_PERMISSION', () => fake.set([plain], {}, { nvmlDeviceGetHandleByIndex_v2: 4 })],
      ['EVIDENCE_TIMEOUT', () => fake.set([plain], {}, { [report]: 10 })],
      ['EVIDENCE_REFUSED', () => fake.set([plain], {}, { [report]: 15 })],
      ['EVIDENCE_REFUSED', () => fake.set([plain], {}, { nvmlDeviceGetConfComputeGpuCertificate: 999 })],
      // More than the structure holds, nothing, another's nonce; a chain of nothing.
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, reportSize: 0x2001 }])],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, reportSize: 0 }])],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, reportSize: 20 }])],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, report: new Uint8Array(64) }])],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, chainSize: 0x1401 }])],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, chain: Uint8Array.of(0x41) }])],
      ['EVIDENCE_RESPONSE', () => fake.set([plain], { cc: 2 })],
      ['EVIDENCE_RESPONSE', () => fake.set([plain], { multi: 3 })],
      ['EVIDENCE_RESPONSE', () => fake.set([{ ...plain, uuid: '' }])],
      [
        'EVIDENCE_RESPONSE',
        () =>
          fake.set([
            { ...plain, uuid: 'GPU-00000001' },
            { ...plain, uuid: 'GPU-00000001' },
          ]),
      ],
    ];
    fake.set([plain]);
    expect(await collectCode()).toBe('done');
    for (const [code, arrange] of cases) {
      arrange();
      expect([code, await collectCode()]).toEqual([code, code]);
      expect(fake.open()).toBe(0);
    }
    fake.set([plain]);
    const short = using(async (gpus) => await first(gpus).collect(new Uint8Array(64)));
    expect(await codeOf(short)).toBe('EVIDENCE_REPORT_DATA');
  });

  it('are refused where the library is not there, is something else, or is too old', async () => {
    expect(await codeOf(opened({ library: join(folder, 'absent.so') }))).toBe('EVIDENCE_GPU_DRIVER');
    expect(await codeOf(opened({ library: 'libc.so.6' }))).toBe('EVIDENCE_GPU_DRIVER_VERSION');
    const { library } = buildFakeNvml(folder, 'NO_REPORTS');
    expect(await codeOf(opened({ library }))).toBe('EVIDENCE_GPU_DRIVER_VERSION');
  });

  it('that do not answer hold nobody up for ever', async () => {
    fake.set([plain]);
    fake.hold(true);
    try {
      expect(await codeOf(opened({ timeoutMs: 1 }))).toBe('EVIDENCE_TIMEOUT');
    } finally {
      fake.hold(false);
    }
    // The call that was given up ends by itself; then everything works again.
    await vi.waitFor(() => expect(fake.open()).toBe(1), { timeout: 60_000 });
    expect(await collectCode()).toBe('done');
  });
});
