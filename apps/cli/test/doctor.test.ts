import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  forgeEventLog,
  forgeNitroChain,
  forgeNitroDocument,
  forgeNvidiaChain,
  forgeNvidiaReport,
  startSwtpm,
  swtpmInstalled,
} from '@fastness/testkit';
import { encodePem, toBase64, utf8Encode } from '@fastness/codec';
import { encodeCbor } from '@fastness/codec/cbor';
import { gcpIndices } from '@fastness/evidence';
import { nvAttributes, nvDefineSpace, openSwtpmSocket, openTpm, pcrExtend } from '@fastness/evidence/tpm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { compilerInstalled } from '../../../packages/evidence/test/support/fake-ioctl.ts';
import { startFakeNitroTpm } from '../../../packages/evidence/test/support/fake-nitro-tpm.ts';
import { buildFakeNvml, type FakeGpu } from '../../../packages/evidence/test/support/fake-nvml.ts';
import { doctorCommand } from '../src/commands/doctor.ts';
import type { DeviceFinding } from '../src/support/doctor/device.ts';
import { examine, type Examination } from '../src/support/doctor/examine.ts';
import { linesOf } from '../src/support/doctor/print.ts';
import { runInProcess } from './support/in-process.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

// Nothing is forbidden to root, who may run these tests; so what the kernel would forbid to others is said here.
const denied = vi.hoisted(() => new Set<string>());
vi.mock('node:fs/promises', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs/promises')>();
  const access: typeof fs.access = async (path, mode) => {
    if (denied.has(path.toString())) throw Object.assign(new Error('denied'), { code: 'EACCES' });
    await fs.access(path, mode);
  };
  return { ...fs, access };
});

let folder: string;
beforeEach(async () => {
  denied.clear();
  folder = await mkdtemp(join(tmpdir(), 'fastness-doctor-'));
});
afterEach(() => rm(folder, { recursive: true }));

const put = async (path: string, content: string | Uint8Array): Promise<string> => {
  const at = join(folder, path);
  await mkdir(dirname(at), { recursive: true });
  await writeFile(at, content);
  return at;
};
const look = (options: object = {}): Promise<Examination> => examine({ root: folder, environment: {}, ...options });
const deviceAt = ({ devices }: Examination, path: string): DeviceFinding | undefined =>
  devices.find((device) => device.path.endsWith(path));

const tpmOf = (devices: readonly DeviceFinding[]): DeviceFinding | undefined =>
  devices.find(({ kind }) => kind === 'TPM 2.0');
const found = ({ events }: CliResult): DeviceFinding[] => (events[0]?.['devices'] ?? []) as DeviceFinding[];

describe('fastness doctor', () => {
  it('finds nothing where there is nothing, says how to get it, and ends with "unavailable"', async () => {
    const result = await runInProcess(doctorCommand, folder, ['doctor', '--root', folder]);
    expect(result).toMatchObject({ exitCode: 7, code: 'EVIDENCE_NO_TEE' });
    const devices = found(result);
    expect(devices.length).toBe(15);
    // The TPM stands for four kinds, and is named once.
    const problem = JSON.stringify(result.events.find(({ event }) => event === 'error'));
    expect(problem.match(/tpmrm0/g)?.length).toBe(1);
    for (const { state, next } of devices) expect([state, next.length > 0]).toEqual(['missing', true]);
  });

  it('tells a device that is not there from one that is forbidden', async () => {
    for (const path of ['/dev/nsm', '/dev/tpmrm0', '/dev/sev-guest']) denied.add(await put(path, ''));
    await mkdir(join(folder, '/sys/kernel/config/tsm/report'), { recursive: true });
    denied.add(join(folder, '/sys/kernel/config/tsm/report'));
    const seen = await look();
    for (const path of ['/dev/nsm', '/dev/tpmrm0', '/dev/sev-guest', 'tsm/report']) {
      expect(deviceAt(seen, path)?.state).toBe('not-permitted');
    }
    expect(deviceAt(seen, '/dev/tdx_guest')?.state).toBe('missing');
    expect(seen.used).toBeUndefined();
  });

  it('tells what does not do what it should', async () => {
    // A folder of a plain file system gets no provider, and a plain file answers no command.
    await mkdir(join(folder, '/sys/kernel/config/tsm/report'), { recursive: true });
    await put('/dev/tpmrm0', '');
    await put('/dev/nsm', '');
    await put('/dev/sev-guest', '');
    await put('/dev/tdx_guest', '');
    await put('/dev/attestation/attestation_type', 'none');
    const seen = await look({ environment: { FASTNESS_SIMULATED_TEE: join(folder, 'no.sock') } });
    for (const path of [
      'tsm/report',
      '/dev/tpmrm0',
      '/dev/nsm',
      '/dev/sev-guest',
      '/dev/tdx_guest',
      '/dev/attestation',
      'no.sock',
    ]) {
      expect(deviceAt(seen, path)?.state).toBe('not-working');
    }
    expect(seen.used).toBeUndefined();
  });

  it('states what matters of memory, swap, clock and GPUs', async () => {
    await put('/proc/meminfo', 'MemTotal:       1048576 kB\nMemAvailable:    524288 kB\n');
    await put('/proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition 1 0 -2\n');
    await put('/proc/self/limits', 'Max locked memory         65536                65536                bytes\n');
    await put('/proc/cpuinfo', 'model name\t: A processor\nflags\t\t: fpu hypervisor tdx_guest\n');
    const clock = '/sys/devices/system/clocksource/clocksource0';
    await put(`${clock}/current_clocksource`, 'kvm-clock\n');
    await put(`${clock}/available_clocksource`, 'kvm-clock tsc \n');
    const version = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n';
    await put('/proc/driver/nvidia/version', version);
    const gpu = 'Model: \t\t NVIDIA H100\nGPU Firmware: \t 570.86.15\nDevice Minor: \t 0\n';
    await put('/proc/driver/nvidia/gpus/0000:01:00.0/information', gpu);
    await put('/dev/nvidia0', '');
    const seen = await look();
    expect(seen.machine).toMatchObject({
      memoryBytes: 2 ** 30,
      availableBytes: 2 ** 29,
      swap: ['/dev/sda2'],
      lockableBytes: 65_536,
      clockSource: 'kvm-clock',
      processor: { model: 'A processor', virtual: true, tdxGuest: true },
      nvidiaDriver: '570.86.15',
      gpus: [{ bus: '0000:01:00.0', model: 'NVIDIA H100', firmware: '570.86.15', device: '/dev/nvidia0' }],
    });
    expect(seen.concerns.length).toBe(4);
    const lines = linesOf(seen).join('\n');
    for (const text of ['/dev/sda2', 'kvm-clock', 'NVIDIA H100', 'No evidence']) expect(lines).toContain(text);
  });

  it('says what a host could give to its guests, and that a trust domain cannot extend its register', async () => {
    await put('/proc/cpuinfo', 'model name\t: A processor\nflags\t\t: fpu sev_snp sgx tdx_host_platform\n');
    await put('/sys/module/kvm_amd/parameters/sev_snp', 'Y\n');
    await put('/sys/module/kvm_intel/parameters/tdx', 'N\n');
    const { machine, concerns } = await look();
    expect(machine.hosts.map(({ tee, state }) => [tee, state])).toEqual([
      ['SEV-SNP', 'on'],
      ['TDX', 'off'],
      ['SGX', 'off'],
    ]);
    expect(concerns.join('\n')).toContain('kvm_intel tdx=1');
    await put('/proc/cpuinfo', 'flags\t\t: hypervisor sev_snp tdx_guest\n');
    const guest = await look();
    expect(guest.machine).toMatchObject({ hosts: [], processor: { runtimeRegister: 'missing' } });
    expect(guest.concerns.join('\n')).toContain('RTMR3');
    await put('/sys/class/misc/tdx_guest/measurements/rtmr3:sha384', new Uint8Array(48));
    expect((await look()).concerns).toEqual([]);
  });

  it('says of a NitroTPM whether it makes documents', async () => {
    const nitro = await startFakeNitroTpm(join(folder, 'nitro.sock'));
    const rowOf = async (): Promise<DeviceFinding | undefined> =>
      (await look({ tpm: nitro.path })).devices.find(({ kind }) => kind.startsWith('NitroTPM'));
    try {
      expect(await rowOf()).toMatchObject({
        state: 'not-working',
        detail: expect.stringContaining('TPM_DEVICE_UNSUPPORTED'),
      });
      const chain = await forgeNitroChain({ now: new Date() });
      const userData = new Uint8Array(64);
      const document = await forgeNitroDocument({ chain, kind: 'nitrotpm', timestamp: new Date(), userData });
      nitro.module = async () => encodeCbor(new Map([['Attestation', new Map([['document', document]])]]));
      const row = await rowOf();
      expect(row).toMatchObject({ state: 'usable', policy: { section: 'nitroTpm' } });
      nitro.vendor = 'IBM/SW__';
      expect((await rowOf())?.state).toBe('missing');
    } finally {
      await nitro.stop();
    }
  });

  it.skipIf(!compilerInstalled)(
    'says of GPUs and switches what a policy could ask, and what is in the way',
    async () => {
      const gpuOf = async (chipSerial: bigint): Promise<FakeGpu> => {
        const chain = await forgeNvidiaChain({ now: new Date(), chipSerial });
        const report = await forgeNvidiaReport({ keys: chain.keys.leaf, nonce: new Uint8Array(32) });
        const pem = chain.certificates.map((der) => encodePem(der, 'CERTIFICATE')).join('');
        return { report, chain: utf8Encode(pem), echoes: true };
      };
      const nvml = buildFakeNvml(folder);
      const machine = [await gpuOf(1n), await gpuOf(2n)];
      nvml.set(machine, { ready: 0, tools: 1 });
      const gpuRow = async (): Promise<DeviceFinding | undefined> =>
        deviceAt(await look({ nvml: nvml.library }), '.so');
      const seen = await look({ nvml: nvml.library });
      // GPUs attest beside something else, never alone.
      expect(seen).toMatchObject({ used: undefined, attached: ['NVIDIA GPUs through NVML'] });
      const row = await gpuRow();
      expect(row).toMatchObject({
        state: 'usable',
        role: 'device',
        policy: {
          section: 'nvidiaGpu',
          architectures: ['hopper'],
          modes: ['spt'],
          minimumDriverVersion: '580.95.05',
        },
        facts: { devices: [{ kind: 'nvidia-gpu', minimum: 2 }], settings: { developerTools: true, ready: false } },
      });
      expect(row?.next.length).toBe(2);
      expect(linesOf(seen).join('\n')).toContain('can go with it: NVIDIA GPUs');
      const states = [];
      for (const init of [9, 4, 18]) {
        nvml.set(machine, {}, { nvmlInit_v2: init });
        states.push((await gpuRow())?.state);
      }
      nvml.set(machine, { cc: 0 });
      states.push((await gpuRow())?.state);
      expect(states).toEqual(['missing', 'not-permitted', 'not-working', 'not-working']);

      // A command that answers every nonce with the same report is found out before any verifier sees it.
      const chain = await forgeNvidiaChain({ now: new Date(), chip: 'LS_10' });
      const nonce = new Uint8Array(32);
      const report = await forgeNvidiaReport({ keys: chain.keys.leaf, nonce, kind: 'nvswitch' });
      const pem = chain.certificates.map((der) => encodePem(der, 'CERTIFICATE')).join('');
      const entry = { evidence: toBase64(report), certificate: toBase64(utf8Encode(pem)) };
      const answer = await put('answer', JSON.stringify({ result_code: 0, evidences: [entry] }));
      const nvattest = await put('nvattest', `#!/bin/sh\nexec cat '${answer}'\n`);
      await chmod(nvattest, 0o755);
      const found_ = deviceAt(await look({ nvattest }), 'nvattest');
      expect(found_).toMatchObject({ state: 'not-working', role: 'device' });
      expect(found_?.detail).toContain('another nonce');
    },
  );

  it.skipIf(!swtpmInstalled)('prints what a policy has to pin of a TPM', async () => {
    const emulator = await startSwtpm(folder);
    try {
      const log = await put('log', await forgeEventLog([{ pcr: 4, type: 0x8000_0003, data: utf8Encode('kernel') }]));
      const { socketPath } = emulator;
      // Nothing was measured yet, so there is nothing to pin; and a log that is not there stops the collector.
      const before = tpmOf((await look({ tpm: socketPath, eventLog: join(folder, 'absent') })).devices);
      expect(before?.state).toBe('not-working');
      expect(Object.keys(before?.policy ?? {})).toEqual(['section', 'attestationKeys']);
      const digest = new Uint8Array(createHash('sha256').update('kernel').digest());
      const tpm = openTpm({ transport: await openSwtpmSocket(socketPath) });
      await pcrExtend(tpm, { index: 4, bank: 'SHA-256', digest });
      await tpm.close();

      const args = ['doctor', '--root', folder, '--tpm', socketPath, '--event-log', log];
      const result = await runInProcess(doctorCommand, folder, args);
      expect(result).toMatchObject({ exitCode: 0, code: undefined });
      expect(result.events[0]).toMatchObject({ used: 'TPM 2.0' });
      const measured = createHash('sha256').update(new Uint8Array(32)).update(digest).digest('hex');
      const [attestationKey] = (before?.policy?.['attestationKeys'] ?? []) as string[];
      expect(attestationKey).toMatch(/^[0-9a-f]{64}$/);
      expect(tpmOf(found(result))).toMatchObject({
        state: 'usable',
        policy: { section: 'tpm', attestationKeys: [attestationKey], measurements: [measured], eventLog: 'required' },
        facts: {
          manufacturer: 'IBM',
          registers: { 'SHA-256': { 4: measured }, 'SHA-384': { 15: '00'.repeat(48) } },
          eventLog: { format: 'crypto-agile', events: 1 },
        },
      });
      expect(
        found(result)
          .filter(({ kind }) => kind.startsWith('Virtual TPM'))
          .map(({ state }) => state),
      ).toEqual(['missing', 'missing']);
      // Bytes of no log, and of one as TPM 1.2 kept it.
      for (const byte of [0xff, 0]) {
        const eventLog = await put('broken', new Uint8Array(64).fill(byte));
        expect(tpmOf((await look({ tpm: socketPath, eventLog })).devices)?.state).toBe('not-working');
      }
      // What Google keeps in its TPMs makes this one of them, for who only looks.
      const google = openTpm({ transport: await openSwtpmSocket(socketPath) });
      const attributes = nvAttributes.authRead | nvAttributes.authWrite;
      await nvDefineSpace(google, { index: gcpIndices.template, attributes, size: 8 });
      await google.close();
      const named = await look({ tpm: socketPath, eventLog: log });
      expect(named.used).toBe('Virtual TPM of Google Compute Engine');
    } finally {
      await emulator.kill();
    }
  });
});
