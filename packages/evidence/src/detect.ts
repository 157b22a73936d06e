import { FastnessError } from '@fastness/codec/errors';
import type { Collector } from './collector.ts';
import { simulatedCollector } from './simulated.ts';

/** The variable that names the socket of the simulated TEE; its parent process sets it. */
export const SIMULATED_TEE_VARIABLE = 'FASTNESS_SIMULATED_TEE';

export interface DetectCollectorOptions {
  /** Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds the TEE of this machine. Today that is the simulated TEE alone, and only where FASTNESS_SIMULATED_TEE names its
 * socket; devices such as /dev/sev-guest are not read yet. Look at `simulated` before relying on the result.
 * The variable is the host's to set. That gives it nothing: simulated evidence convinces no verifier that was not told to
 * accept it.
 * @throws EVIDENCE_NO_TEE when there is none, EVIDENCE_UNREACHABLE when the one named does not answer
 */
export async function detectCollector(options: DetectCollectorOptions = {}): Promise<Collector> {
  const { environment = process.env } = options;
  const socketPath = environment[SIMULATED_TEE_VARIABLE];
  if (socketPath === undefined || socketPath === '') throw new FastnessError('EVIDENCE_NO_TEE');
  const collector = simulatedCollector({ socketPath });
  const { present, detail } = await collector.detect();
  if (!present) throw new FastnessError('EVIDENCE_UNREACHABLE', detail);
  return collector;
}
