import { FastnessError } from '@fastness/codec/errors';
import type { Collector } from './collector.ts';
import { cpuDevices } from './devices/index.ts';
import { simulatedCollector } from './simulated.ts';

/** The variable that names the socket of the simulated TEE; its parent process sets it. */
export const SIMULATED_TEE_VARIABLE = 'FASTNESS_SIMULATED_TEE';

export interface DetectCollectorOptions {
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default: every kind that this package knows. */
  readonly devices?: typeof cpuDevices;
}

/**
 * Finds the root of trust of this machine: the simulated TEE where FASTNESS_SIMULATED_TEE names its socket, otherwise the
 * first device that is there. Look at `simulated` and `tee` before relying on the result.
 * The variable is the host's to set, and so is what devices a machine has. That gives it nothing: evidence convinces no
 * verifier that was not told to accept its kind.
 * @throws EVIDENCE_NO_TEE when there is none, EVIDENCE_UNREACHABLE when the simulated one does not answer, and the code of the
 *   device that is there and does not work
 */
export async function detectCollector(options: DetectCollectorOptions = {}): Promise<Collector> {
  const { environment = process.env, devices = cpuDevices } = options;
  const socketPath = environment[SIMULATED_TEE_VARIABLE];
  if (socketPath !== undefined && socketPath !== '') {
    const collector = simulatedCollector({ socketPath });
    const { present, detail } = await collector.detect();
    if (!present) throw new FastnessError('EVIDENCE_UNREACHABLE', detail);
    return collector;
  }
  for (const device of devices) {
    const collector = await device.open();
    if (collector !== undefined) return collector;
  }
  throw new FastnessError('EVIDENCE_NO_TEE', `Looked for: ${devices.map(({ name }) => name).join(', ')}.`);
}
