import { detectCollector, openNvattest, openNvidiaGpus, simulatedCollector, type Collector } from '@fastness/evidence';
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

/** Devices that attest beside the processor, by label. */
export interface AttachedDevices {
  readonly collectors: ReadonlyMap<string, Collector>;
  close(): Promise<void>;
}

/**
 * Opens every device that the configuration names: one that is missing or does not attest keeps the enclave from starting.
 * Throws EVIDENCE_GPU_..., EVIDENCE_COMMAND_ABSENT, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE, EVIDENCE_NATIVE.
 */
export async function chooseDevices(devices: EnclaveConfig['devices']): Promise<AttachedDevices> {
  const { nvidiaGpus, nvidiaSwitches, nvmlLibrary: library, nvattestCommand: command } = devices;
  const given = command === undefined ? {} : { command };
  const switches = nvidiaSwitches === 'none' ? [] : await openNvattest({ device: 'nvswitch', ...given });
  if (nvidiaGpus !== 'nvml') {
    const gpus = nvidiaGpus === 'none' ? [] : await openNvattest({ device: 'gpu', ...given });
    return { collectors: new Map([...gpus, ...switches]), close: () => Promise.resolve() };
  }
  const gpus = await openNvidiaGpus(library === undefined ? {} : { library });
  return { collectors: new Map([...gpus.collectors, ...switches]), close: () => gpus.close() };
}
