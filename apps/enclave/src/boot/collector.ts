import { detectCollector, simulatedCollector, type Collector } from '@fastness/evidence';
import { FastnessError } from '@fastness/codec/errors';
import type { EnclaveConfig } from '../config.ts';

/** Finds what makes evidence here. Throws EVIDENCE_NO_TEE, EVIDENCE_UNREACHABLE. */
export async function chooseCollector(evidence: EnclaveConfig['evidence']): Promise<Collector> {
  if (evidence === 'auto') return detectCollector();
  const collector = simulatedCollector({ socketPath: evidence.socketPath });
  const { present, detail } = await collector.detect();
  if (!present) throw new FastnessError('EVIDENCE_UNREACHABLE', detail);
  return collector;
}
