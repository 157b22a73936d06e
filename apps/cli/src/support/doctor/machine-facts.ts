import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TDX_RTMR_FILE } from '@fastness/evidence';
import { readKernelText } from './device.ts';

/** One GPU that NVIDIA's driver shows. */
interface GpuFinding {
  /** Its place on the bus, as the driver names the folder. */
  readonly bus: string;
  readonly model: string;
  readonly firmware: string;
  readonly device: string | undefined;
}

/** What a machine that is no guest offers to its guests. */
export interface HostFinding {
  readonly tee: 'SEV-SNP' | 'TDX' | 'SGX';
  readonly state: 'on' | 'off';
  readonly next: string;
}

/** What decides about an enclave on this machine beside its devices. Absent members could not be read. */
export interface MachineFacts {
  readonly kernel: string | undefined;
  /** `bare metal` as far as the processor says: it can be told to say so. */
  readonly processor: {
    readonly model: string | undefined;
    readonly virtual: boolean;
    readonly tdxGuest: boolean;
    /** Whether a trust domain of TDX can extend RTMR3; absent outside of one. */
    readonly runtimeRegister?: 'there' | 'missing';
  };
  /** What confidential guests this machine could start; empty in a guest. */
  readonly hosts: readonly HostFinding[];
  readonly memoryBytes: number | undefined;
  readonly availableBytes: number | undefined;
  /** Names of active swap areas: what a process has in memory can be written there. */
  readonly swap: readonly string[];
  readonly lockableBytes: number | 'unlimited' | undefined;
  readonly clockSource: string | undefined;
  readonly clockSources: readonly string[];
  readonly gpus: readonly GpuFinding[];
  readonly nvidiaDriver: string | undefined;
  /** `/dev/nvidia...`, whether or not the driver's folder could be read. */
  readonly nvidiaDevices: readonly string[];
}

const CLOCK = '/sys/devices/system/clocksource/clocksource0';
const NVIDIA = '/proc/driver/nvidia';

/** Reads; changes nothing. `root` stands before every path. */
export async function machineFacts(root: string): Promise<MachineFacts> {
  const at = (path: string): Promise<string | undefined> => readKernelText(join(root, path));
  const [kernel, cpu = '', memory = '', swaps = '', limits = '', clockSource, clockSources = ''] = await Promise.all([
    at('/proc/sys/kernel/osrelease'),
    at('/proc/cpuinfo'),
    at('/proc/meminfo'),
    at('/proc/swaps'),
    at('/proc/self/limits'),
    at(`${CLOCK}/current_clocksource`),
    at(`${CLOCK}/available_clocksource`),
  ]);
  const flags = new Set((/^flags\s*:\s*(.*)$/m.exec(cpu)?.[1] ?? '').split(' '));
  const locked = /^Max locked memory\s+(\S+)/m.exec(limits)?.[1];
  const devices = await names(join(root, '/dev'));
  return {
    kernel,
    processor: {
      model: /^model name\s*:\s*(.*)$/m.exec(cpu)?.[1],
      virtual: flags.has('hypervisor'),
      tdxGuest: flags.has('tdx_guest'),
      ...(flags.has('tdx_guest')
        ? { runtimeRegister: (await exists(join(root, TDX_RTMR_FILE))) ? ('there' as const) : ('missing' as const) }
        : {}),
    },
    hosts: flags.has('hypervisor') ? [] : await hostsOf(root, flags),
    memoryBytes: kibibytes(memory, 'MemTotal'),
    availableBytes: kibibytes(memory, 'MemAvailable'),
    swap: swaps
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/)[0] ?? '')
      .filter((name) => name !== ''),
    lockableBytes: locked === undefined ? undefined : locked === 'unlimited' ? locked : Number(locked),
    clockSource,
    clockSources: clockSources.split(' ').filter((name) => name !== ''),
    gpus: await gpusOf(root, devices),
    nvidiaDriver: /Kernel Module(?: for \S+)?\s+(\d[\d.]*)/.exec((await at(`${NVIDIA}/version`)) ?? '')?.[1],
    nvidiaDevices: devices.filter((name) => name.startsWith('nvidia')).map((name) => `/dev/${name}`),
  };
}

/** By the processor's flags and the parameters of KVM (Documentation/virt/kvm/x86, arch/x86/tdx.rst of Linux). */
async function hostsOf(root: string, flags: ReadonlySet<string>): Promise<readonly HostFinding[]> {
  const isOn = async (parameter: string): Promise<boolean> =>
    ((await readKernelText(join(root, '/sys/module', parameter))) ?? 'N') === 'Y';
  const guest = 'Run this command inside a guest.';
  const findings: HostFinding[] = [];
  if (flags.has('sev_snp')) {
    const on = await isOn('kvm_amd/parameters/sev_snp');
    const next =
      'In the BIOS: SMEE, SNP memory coverage (RMP table), IOMMU; then Linux 6.11 and `modprobe kvm_amd sev_snp=1`.';
    findings.push({ tee: 'SEV-SNP', state: on ? 'on' : 'off', next: on ? guest : next });
  }
  if (flags.has('tdx_host_platform')) {
    const on = await isOn('kvm_intel/parameters/tdx');
    const next = 'In the BIOS: TME, TME-MT, TDX, SEAM loader, SGX; then Linux 6.16 and `modprobe kvm_intel tdx=1`.';
    findings.push({ tee: 'TDX', state: on ? 'on' : 'off', next: on ? guest : next });
  }
  if (flags.has('sgx')) {
    const on = await exists(join(root, '/dev/sgx_enclave'));
    const next = on
      ? 'Run under Gramine (`gramine-sgx`).'
      : 'Load the driver in the kernel (CONFIG_X86_SGX), with SGX on in the BIOS.';
    findings.push({ tee: 'SGX', state: on ? 'on' : 'off', next });
  }
  return findings;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

async function gpusOf(root: string, devices: readonly string[]): Promise<readonly GpuFinding[]> {
  const folder = join(root, NVIDIA, 'gpus');
  return await Promise.all(
    (await names(folder)).map(async (bus) => {
      const text = (await readKernelText(join(folder, bus, 'information'))) ?? '';
      const field = (name: string): string | undefined =>
        text
          .split('\n')
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim();
      const minor = field('Device Minor');
      const device = minor === undefined ? undefined : `nvidia${minor}`;
      return {
        bus,
        model: field('Model') ?? 'unknown',
        firmware: field('GPU Firmware') ?? 'unknown',
        device: device !== undefined && devices.includes(device) ? `/dev/${device}` : undefined,
      };
    }),
  );
}

function kibibytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

async function names(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).toSorted((a, b) => a.localeCompare(b));
}
