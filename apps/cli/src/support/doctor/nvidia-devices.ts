import { randomBytes } from 'node:crypto';
import { access, constants, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { parse } from '@fastness/attest/formats/nvidia';
import { FastnessError } from '@fastness/codec/errors';
import {
  NVATTEST_COMMAND,
  NVML_LIBRARY,
  openNvattest,
  openNvidiaGpus,
  type Collector,
  type NvidiaGpus,
} from '@fastness/evidence';
import { faultOf, type DeviceFinding } from './device.ts';

export interface NvidiaOptions {
  readonly root: string;
  /** Default: the one that the loader finds, where `root` is this machine's own. */
  readonly nvml?: string;
  /** A path, or a name to look up in PATH. */
  readonly nvattest?: string;
}

const GPU_KIND = 'NVIDIA GPUs through NVML';
const SWITCH_KIND = 'NVIDIA NVSwitches through nvattest';

/** GPUs and switches: a report is made of each, for nobody. */
export async function nvidiaDevices(options: NvidiaOptions): Promise<readonly DeviceFinding[]> {
  return [await gpus(options), await switches(options)];
}

async function gpus({ root, nvml }: NvidiaOptions): Promise<DeviceFinding> {
  const path = nvml ?? NVML_LIBRARY;
  const finding = { kind: GPU_KIND, path, role: 'device' as const };
  // A library of another root is not for this process.
  if (root !== '/' && nvml === undefined) return { ...finding, ...absent('EVIDENCE_GPU_DRIVER') };
  try {
    const opened = await openNvidiaGpus({ library: path });
    try {
      return { ...finding, ...(await describeGpus(opened)) };
    } finally {
      await opened.close();
    }
  } catch (error) {
    return { ...finding, ...faulty(error) };
  }
}

async function describeGpus({
  gpus: found,
  settings,
  collectors,
}: NvidiaGpus): Promise<Omit<DeviceFinding, 'kind' | 'path'>> {
  const reports = await reportsOf(collectors);
  const architectures = [...new Set(found.map(({ architecture }) => architecture))].toSorted();
  const modes = [...new Set(reports.map(({ gpu }) => gpu?.mode ?? 'unstated'))].toSorted();
  const drivers = [...new Set(reports.map(({ gpu }) => gpu?.driverVersion ?? 'unknown'))];
  return {
    state: 'usable',
    detail: `${found.length}, ${architectures.join(' and ')}, driver ${drivers.join(' and ')}: evidence is nvidia-gpu.`,
    next: [
      ...(settings.developerTools
        ? ['Developer tools are on, and verifiers refuse that: set CC mode `on`, not `devtools`.']
        : []),
      ...(settings.ready === false
        ? ['The GPUs take no work yet: after their evidence was verified, `nvidia-smi conf-compute -srs 1`.']
        : []),
    ],
    policy: {
      section: 'nvidiaGpu',
      architectures,
      modes,
      ...(drivers.length === 1 ? { minimumDriverVersion: drivers[0] } : {}),
    },
    facts: {
      devices: [{ kind: 'nvidia-gpu', minimum: found.length }],
      settings,
      gpus: found.map(({ uuid, architecture }, index) => ({
        uuid,
        architecture,
        driver: reports[index]?.gpu?.driverVersion,
        vbios: reports[index]?.vbiosVersion,
      })),
    },
  };
}

async function switches({ root, nvattest }: NvidiaOptions): Promise<DeviceFinding> {
  const command = nvattest ?? NVATTEST_COMMAND;
  const finding = { kind: SWITCH_KIND, path: command, role: 'device' as const };
  if (nvattest === undefined && !(await isInPath(command)))
    return { ...finding, state: 'missing', detail: 'The command is not in PATH.', next: commandSteps };
  const nodes = (await readdir(join(root, '/dev')).catch(() => [])).filter((name) => /^nvidia-nvswitch\d+$/.test(name));
  if (nvattest === undefined && nodes.length === 0) {
    return { ...finding, state: 'missing', detail: 'The command is there, and no switch.', next: [switchStep] };
  }
  try {
    const collectors = await openNvattest({ device: 'nvswitch', command });
    const reports = await reportsOf(collectors);
    return {
      ...finding,
      state: 'usable',
      detail: `${collectors.size}: evidence is nvidia-nvswitch.`,
      next: [],
      policy: {
        section: 'nvidiaNvswitch',
        vbiosVersions: { allow: [...new Set(reports.map(({ vbiosVersion }) => vbiosVersion))].toSorted() },
      },
      facts: {
        devices: [{ kind: 'nvidia-nvswitch', minimum: collectors.size }],
        switches: reports.map(({ pdi }) => pdi),
      },
    };
  } catch (error) {
    return { ...finding, ...faulty(error) };
  }
}

const switchStep =
  'Switches are passed to a guest together with all of their GPUs (protected PCIe), with NSCQ installed.';

const commandSteps = Object.freeze([
  "Needed with NVSwitches only (HGX boards). It is the command of NVIDIA's attestation SDK (github.com/NVIDIA/attestation-sdk);",
  'where it is not in PATH: `fastness doctor --nvattest FILE`.',
]);

async function reportsOf(collectors: ReadonlyMap<string, Collector>) {
  const reports: ReturnType<typeof parse>['report'][] = [];
  for (const collector of collectors.values()) {
    const { evidence } = await collector.collect(new Uint8Array(randomBytes(32)));
    reports.push(parse(evidence).report);
  }
  return reports;
}

type Outcome = Pick<DeviceFinding, 'state' | 'detail' | 'next'>;

/** What is not there is no fault of this machine. */
function absent(code: 'EVIDENCE_GPU_DRIVER'): Outcome {
  const { next } = new FastnessError(code);
  return { state: 'missing', detail: 'There is none.', next: [next] };
}

function faulty(error: unknown): Outcome {
  const code = error instanceof FastnessError ? error.code : '';
  const missing: readonly string[] = ['EVIDENCE_GPU_DRIVER', 'EVIDENCE_GPU_ABSENT', 'EVIDENCE_COMMAND_ABSENT'];
  const state = missing.includes(code)
    ? 'missing'
    : code === 'EVIDENCE_GPU_PERMISSION'
      ? 'not-permitted'
      : 'not-working';
  return { state, ...faultOf(error) };
}

async function isInPath(command: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, command), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
