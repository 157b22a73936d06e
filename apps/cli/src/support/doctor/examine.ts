import { join } from 'node:path';
import { SIMULATED_TEE_VARIABLE, simulatedCollector, TPM_DEVICE } from '@fastness/evidence';
import { cloudVtpmDevices } from './cloud-vtpm-devices.ts';
import type { DeviceFinding } from './device.ts';
import { machineFacts, type MachineFacts } from './machine-facts.ts';
import { nvidiaDevices } from './nvidia-devices.ts';
import { processorDevices } from './processor-devices.ts';
import { tokenSources } from './token-sources.ts';
import { tpmDevice } from './tpm-device.ts';

/** What `fastness doctor` found. */
export interface Examination {
  /** The kind that an enclave here would take its evidence from; undefined where there is none. */
  readonly used: string | undefined;
  /** Kinds of device whose evidence can go with it. */
  readonly attached: readonly string[];
  readonly devices: readonly DeviceFinding[];
  readonly machine: MachineFacts;
  /** What an enclave on real hardware refuses, or does not do well with. */
  readonly concerns: readonly string[];
}

/** Looks at everything; a device that is not there or does not work is a finding, never an error. */
export async function examine(options: {
  readonly root: string;
  readonly tpm?: string;
  readonly eventLog?: string;
  readonly nvml?: string;
  readonly nvattest?: string;
  readonly psa?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}): Promise<Examination> {
  const { root, tpm, eventLog, nvml, nvattest, psa, environment = process.env } = options;
  const simulated = await simulatedTee(environment[SIMULATED_TEE_VARIABLE]);
  const processors = await processorDevices(root);
  const hardware = new Set(
    processors.flatMap(({ state, tee }) => (state === 'usable' && tee !== undefined ? [tee] : [])),
  );
  const devices = [
    ...simulated,
    // What protects memory before what only tells how the machine booted.
    ...processors,
    ...(await cloudVtpmDevices({ root, path: tpm ?? join(root, TPM_DEVICE) })),
    await tpmDevice({
      root,
      ...(tpm === undefined ? {} : { path: tpm }),
      ...(eventLog === undefined ? {} : { eventLogPath: eventLog }),
    }),
    ...(await nvidiaDevices({
      root,
      ...(nvml === undefined ? {} : { nvml }),
      ...(nvattest === undefined ? {} : { nvattest }),
    })),
    ...(await tokenSources({ root, hardware, ...(psa === undefined ? {} : { psa }) })),
  ];
  const machine = await machineFacts(root);
  return {
    used: devices.find(({ state, role }) => state === 'usable' && role === undefined)?.kind,
    attached: devices.filter(({ state, role }) => state === 'usable' && role === 'device').map(({ kind }) => kind),
    devices,
    machine,
    concerns: concernsOf(machine),
  };
}

async function simulatedTee(socketPath: string | undefined): Promise<readonly DeviceFinding[]> {
  if (socketPath === undefined || socketPath === '') return [];
  const { present, detail } = await simulatedCollector({ socketPath }).detect();
  return [
    {
      kind: 'Simulated TEE, which protects nothing',
      path: socketPath,
      state: present ? 'usable' : 'not-working',
      detail,
      next: present ? [] : [`Start it, or unset ${SIMULATED_TEE_VARIABLE}.`],
      policy: { section: 'simulated' },
    },
  ];
}

function concernsOf({ swap, clockSource, lockableBytes, processor, hosts }: MachineFacts): readonly string[] {
  return [
    ...hosts.map(({ tee, state, next }) => `This is no guest: as a host it has ${tee} ${state}. ${next}`),
    ...(processor.runtimeRegister === 'missing'
      ? [
          'RTMR3 stays at zeros: only Linux 6.16 or later lets the enclave extend it, and a policy that lists `rtmrs` 3 refuses it here.',
        ]
      : []),
    ...(swap.length === 0
      ? []
      : [`Swap is on (${swap.join(', ')}): what is in memory can get to a disk. The enclave refuses; \`swapoff -a\`.`]),
    ...(clockSource === undefined || clockSource === 'tsc'
      ? []
      : [
          `The clock source is ${clockSource}, which the host may control. The enclave refuses on hardware; boot with clocksource=tsc.`,
        ]),
    ...(typeof lockableBytes === 'number'
      ? [
          `Only ${lockableBytes} bytes can be locked into memory: raise the limit (LimitMEMLOCK=infinity, or ulimit -l).`,
        ]
      : []),
  ];
}
