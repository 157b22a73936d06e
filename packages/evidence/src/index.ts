/** Collecting evidence on this machine (Node). */
export type { CollectedEvidence, Collector } from './collector.ts';
export { detectCollector, SIMULATED_TEE_VARIABLE, type DetectCollectorOptions } from './detect.ts';
export { simulatedCollector, type SimulatedCollectorOptions } from './simulated.ts';
