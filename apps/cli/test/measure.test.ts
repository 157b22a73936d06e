import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { concatBytes, fromHex, u32le, utf8Encode } from '@fastness/codec';
import { tdxRuntimeRegister } from '@fastness/evidence';
import { forgeEventLog } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../attacks/support/cli.ts';
import { eif } from '../../../packages/attest/test/support/eif-images.ts';
import { amdSev, entry, ovmf } from '../../../packages/attest/test/support/ovmf-images.ts';
import { prepareDcap } from '../../../packages/attest/test/support/dcap-forge.ts';
import { bootedTd, bootWith, goodBoot, logOf } from '../../../packages/attest/test/support/tdx-boot.ts';
import { pe, uki } from '../../../packages/attest/test/support/pe-images.ts';
import { tdxPolicySchema } from '../../../packages/attest/src/policy/tdx.ts';
import { nitroPolicySchema } from '../../../packages/attest/src/policy/nitro.ts';
import { measureImage, type MeasureInput } from '../src/support/measure.ts';

const enclave = eif([
  { type: 1, bytes: utf8Encode('kernel') },
  { type: 2, bytes: utf8Encode('quiet') },
  { type: 5, bytes: utf8Encode('{}') },
  { type: 3, bytes: utf8Encode('archive') },
]);
const firmware = ovmf(amdSev);
/** A firmware whose TDVF metadata, 0x700 bytes before its end, declare a page of memory. */
const tdvf = ovmf({
  sections: [[0x80_0000, 0x1000, 1]],
  entries: [entry('e47a6535-984a-4798-865e-4685a7bf8ec2', u32le(0x700))],
});
tdvf.set(
  concatBytes(utf8Encode('TDVF'), ...[48, 1, 1, 0, 0, 0x80_9000, 0, 0x1000, 0, 0, 0].map((word) => u32le(word))),
  tdvf.length - 0x700,
);
const pinnedFields = tdxPolicySchema.pick({ measurements: true, rtmrs: true, events: true, eventLog: true });
const tdKernel = pe([{ name: '.text', bytes: fromHex('3d1a7596f472a641a794ed5d0e67ae6b') }]);

const runtime = { configuration: new Uint8Array(32).fill(1), release: new Uint8Array(32).fill(2) };
const bootLog = await logOf(goodBoot);

describe('fastness measure', { timeout: 120_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-measure-'));
    await Promise.all([
      writeFile(join(folder, 'enclave.eif'), enclave),
      writeFile(join(folder, 'OVMF.fd'), firmware),
      writeFile(join(folder, 'kernel'), 'kernel'),
    ]);
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('prints registers of an enclave, a policy and what to sign', async () => {
    const { facts, lines } = await measureImage(enclave, {});
    const pcrs = facts['pcrs'] as Record<string, string>;
    expect(lines.join('\n')).toContain(`fastness sign --measurement aws-nitro:${pcrs['0'] ?? 'none'}`);
    expect(nitroPolicySchema.parse(facts['policy']).pcrs).toEqual({ 1: [pcrs['1']], 2: [pcrs['2']] });
  });

  it('prints the launch digest of a firmware and the kernel that it starts', async () => {
    const machine = ['--cpus', '2', '--cpu-type', 'EPYC-Milan', '--features', '0x21'];
    const kernel = ['--kernel', join(folder, 'kernel'), '--append', 'quiet'];
    const { events, exitCode } = await runCli(folder, ['measure', join(folder, 'OVMF.fd'), ...machine, ...kernel]);
    expect(exitCode).toBe(0);
    const { facts, lines } = await measureImage(firmware, {
      machine: {
        processors: 2,
        processor: 0xa0_0f11,
        features: 0x21n,
        kernel: { image: utf8Encode('kernel'), commandLine: 'quiet' },
      },
    });
    expect(events.at(-1)).toMatchObject({ launchDigest: facts['launchDigest'], coversKernel: true });
    expect(lines.join('\n')).toContain(`fastness sign --measurement sev-snp:${String(facts['launchDigest'])}`);
    const bare = await measureImage(firmware, { machine: { processors: 2, processor: 'EPYC-Milan', features: 0x21n } });
    expect(bare.lines.join('\n')).toContain('no kernel');
    expect(bare.facts['launchDigest']).not.toBe(facts['launchDigest']);
  });

  it.each<[string, Uint8Array, MeasureInput]>([
    ['a bank for an enclave', enclave, { bank: 'SHA-256' }],
    ['a machine for an enclave', enclave, { machine: { processors: 1 } }],
    ['no machine for a firmware', firmware, {}],
    ['a trust domain for an enclave', enclave, { tdx: 'page' }],
    ['a kernel for an enclave', enclave, { boot: { image: enclave } }],
    ['a bank for a trust domain', firmware, { tdx: 'page', bank: 'SHA-384' }],
    ['a log without a kernel', firmware, { tdx: 'page', log: enclave }],
    ['an enclave outside of a trust domain', enclave, { runtime }],
    ['a quote of an image', firmware, { tdx: 'page', quote: enclave }],
    ['the log of a boot and a kernel', bootLog, { boot: { image: enclave } }],
    ['a trust domain and a machine', firmware, { tdx: 'page', machine: { processors: 1 } }],
  ])('refuses %s', async (_, image, input) => {
    const refusal: unknown = await measureImage(image, input).catch((error: unknown) => error);
    expect(refusal instanceof FastnessError ? refusal.code : refusal).toBe('CLI_USAGE');
  });

  it('prints the run-time registers of a trust domain and what a policy accepts of them', async () => {
    const commandLine = 'quiet';
    const boot = { image: tdKernel, archive: utf8Encode('archive'), commandLine };
    await Promise.all([
      writeFile(join(folder, 'OVMF.tdx.fd'), tdvf),
      writeFile(join(folder, 'vmlinuz'), boot.image),
      writeFile(join(folder, 'initrd'), boot.archive),
      writeFile(join(folder, 'fastness.efi'), uki({ '.linux': tdKernel })),
    ]);
    const direct = ['--kernel', join(folder, 'vmlinuz'), '--initrd', join(folder, 'initrd'), '--append', commandLine];
    const { events } = await runCli(folder, ['measure', join(folder, 'OVMF.tdx.fd'), '--tdx', ...direct]);
    const { facts, lines } = await measureImage(tdvf, { tdx: 'page', boot });
    expect(events.at(-1)).toMatchObject(facts);
    const { rtmrs, events: pinned } = pinnedFields.parse(facts['policy']);
    expect(pinned?.[2]?.map(({ name, digests }) => [name, digests.length])).toEqual([
      ['command line', 2],
      ['archive', 1],
    ]);
    expect([rtmrs[0], rtmrs[1]?.length, rtmrs[2]?.length, rtmrs[3]]).toEqual([undefined, 1, 2, undefined]);
    expect(lines.join('\n')).toContain(`RTMR1  ${rtmrs[1]?.[0] ?? 'none'}`);
    expect(lines.join('\n')).toContain('RTMR0  not predicted');
    await writeFile(join(folder, 'ccel'), await forgeEventLog([{ pcr: 2, type: 4, data: utf8Encode('other') }]));
    const log = ['--event-log', join(folder, 'ccel')];
    const other = await runCli(folder, ['measure', join(folder, 'OVMF.tdx.fd'), '--tdx', ...direct, ...log]);
    expect([other.code, other.exitCode]).toEqual(['IMAGE_EVENT_DIFFERS', 5]);
    const image = await runCli(folder, ['measure', join(folder, 'fastness.efi'), '--tdx']);
    expect(image.events.at(-1)).toMatchObject({
      policy: { rtmrs: { 1: [expect.any(String)], 2: [expect.any(String)] } },
    });
  });

  it('predicts RTMR3 of an enclave from its configuration and its release', async () => {
    await Promise.all([
      writeFile(join(folder, 'image.efi'), uki({ '.linux': tdKernel })),
      writeFile(join(folder, 'enclave.json'), '{}'),
    ]);
    const measure = ['measure', join(folder, 'image.efi'), '--tdx'];
    const release = '02'.repeat(32);
    const both = await runCli(folder, [...measure, '--config', join(folder, 'enclave.json'), '--release', release]);
    const configuration = new Uint8Array(createHash('sha256').update('{}').digest());
    const value = tdxRuntimeRegister([
      { kind: 'configuration', digest: configuration },
      { kind: 'release', digest: fromHex(release) },
    ]);
    const { policy } = both.events.at(-1) ?? {};
    const { rtmrs, events, eventLog } = pinnedFields.parse(policy);
    expect([rtmrs[3], eventLog]).toEqual([[value], 'required']);
    expect(events?.[3]?.map(({ name }) => name)).toEqual(['configuration', 'release']);
    const alone = await runCli(folder, [...measure, '--release', release]);
    expect(alone.code).toBe('CLI_USAGE');
  });

  it('turns the log of a boot into what a policy can pin, and compares it with the quote of that boot', async () => {
    const [log, quote, other] = ['boot.ccel', 'boot.quote', 'other.quote'].map((name) => join(folder, name));
    if (log === undefined || quote === undefined || other === undefined) throw new Error('three paths');
    const quoteOf = async (boot: typeof goodBoot): Promise<Uint8Array> => {
      const { evidence } = await prepareDcap({ td: (await bootedTd(boot)).td });
      return evidence.value;
    };
    await Promise.all([
      writeFile(log, bootLog),
      writeFile(quote, await quoteOf(goodBoot)),
      writeFile(other, await quoteOf(bootWith('kernel', 'another'))),
    ]);
    const { events, exitCode } = await runCli(folder, ['measure', log, '--quote', quote]);
    expect(exitCode).toBe(0);
    expect(events.at(-1)).toMatchObject({ comparedWithQuote: true });
    const { rtmrs, events: pinned } = pinnedFields.parse(events.at(-1)?.['policy']);
    expect(Object.values(pinned ?? {}).map((list) => list.length)).toEqual([1, 2, 2, 2]);
    expect(rtmrs[1]).toHaveLength(1);
    expect((await runCli(folder, ['measure', log, '--quote', other])).code).toBe('EVENT_LOG_MISMATCH');
  });

  it('goes on to the metadata of TDX when asked', async () => {
    const path = join(folder, 'OVMF.fd');
    const { code } = await runCli(folder, ['measure', path, '--tdx']);
    expect(code).toBe('IMAGE_TDVF_METADATA');
  });

  it('asks for what the digest depends on', async () => {
    const path = join(folder, 'OVMF.fd');
    const [unsaid, loose] = await Promise.all([
      runCli(folder, ['measure', path, '--cpu-type', 'EPYC']),
      runCli(folder, ['measure', path, '--cpus', '1', '--append', 'quiet']),
    ]);
    expect([unsaid.code, loose.code]).toEqual(['CLI_USAGE', 'CLI_USAGE']);
  });
});
