/** NVIDIA GPUs and NVSwitches: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { requireDistinctDevices } from './devices.ts';
export {
  decodeNvidiaEndorsements,
  decodeNvidiaEvidence,
  encodeNvidiaEndorsements,
  encodeNvidiaEvidence,
  type NvidiaEndorsements,
  type NvidiaEvidence,
  type NvidiaSettings,
} from './evidence.ts';
export { nvidiaKinds, type NvidiaKind } from './layout.ts';
export { neededEndorsements, type NeededEndorsements } from './needed.ts';
export { parse } from './parse.ts';
export type { GpuFields, NvidiaReport } from './report.ts';
export { authenticateRim, readRim, type RimDocument, type RimWanted } from './rim/index.ts';
export type { AuthenticReport, ParsedReport } from './stages.ts';
