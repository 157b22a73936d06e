import type { DeviceFinding } from './device.ts';
import type { Examination } from './examine.ts';
import type { MachineFacts } from './machine-facts.ts';

const marks = Object.freeze({
  usable: '✓',
  missing: '–',
  'not-permitted': '✗',
  'not-working': '✗',
} satisfies Record<DeviceFinding['state'], string>);

const words = Object.freeze({
  usable: 'usable',
  missing: 'missing',
  'not-permitted': 'not permitted',
  'not-working': 'not working',
} satisfies Record<DeviceFinding['state'], string>);

/** An examination as lines for people. */
export function linesOf({ used, attached, devices, machine, concerns }: Examination): readonly string[] {
  return [
    'Devices, in the order in which an enclave tries them:',
    ...devices.flatMap(deviceLines),
    'Machine:',
    ...machineLines(machine).map((line) => `  ${line}`),
    ...concerns.map((concern) => `  ! ${concern}`),
    used === undefined ? 'No evidence can be collected here.' : `An enclave here takes its evidence from: ${used}.`,
    ...(attached.length === 0 ? [] : [`Devices whose evidence can go with it: ${attached.join(', ')}.`]),
  ];
}

function deviceLines({ kind, path, state, detail, next, policy }: DeviceFinding): readonly string[] {
  return [
    `  ${marks[state]} ${kind} (${path}): ${words[state]}. ${detail}`,
    ...next.map((step) => `      ${step}`),
    ...(policy === undefined ? [] : [`      For a policy: ${policyText(policy)}`]),
  ];
}

function policyText({ section, ...members }: Readonly<Record<string, unknown>>): string {
  return Object.keys(members).length === 0
    ? `section ${String(section)}`
    : JSON.stringify({ [String(section)]: members });
}

function machineLines(machine: MachineFacts): readonly string[] {
  const { kernel, processor, memoryBytes, availableBytes, swap, lockableBytes, clockSource, clockSources } = machine;
  const { gpus, nvidiaDriver, nvidiaDevices } = machine;
  return [
    `Linux ${kernel ?? 'unknown'}; ${processor.model ?? 'unknown processor'}${processor.virtual ? ', virtual' : ''}${processor.tdxGuest ? ', TDX guest' : ''}`,
    `Memory: ${size(memoryBytes)}, ${size(availableBytes)} available; swap: ${swap.length === 0 ? 'none' : swap.join(', ')}; lockable: ${typeof lockableBytes === 'number' ? size(lockableBytes) : (lockableBytes ?? 'unknown')}`,
    `Clock source: ${clockSource ?? 'unknown'}${clockSources.length === 0 ? '' : ` (of ${clockSources.join(', ')})`}`,
    `NVIDIA: ${nvidiaDriver === undefined ? 'no driver' : `driver ${nvidiaDriver}`}, ${nvidiaDevices.length === 0 ? 'no devices' : nvidiaDevices.join(', ')}`,
    ...gpus.map(({ bus, model, firmware, device }) => {
      return `  ${model} at ${bus}, firmware ${firmware}, ${device ?? 'no device file'}`;
    }),
  ];
}

function size(bytes: number | undefined): string {
  if (bytes === undefined) return 'unknown';
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
