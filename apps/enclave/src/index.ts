/** The programs that start, test or measure an enclave import from here; the measured image starts main.ts. */
import './errors.ts';
export { configSchema, parseConfig, readConfig, type EnclaveConfig, type EnclaveConfigInput } from './config.ts';
export { startEnclave, type EnclaveOptions, type RunningEnclave } from './enclave.ts';
export type { EngineInfo, EngineName, EngineTask } from './engine/engine.ts';
export { trialLoad, type TrialLoadOptions } from './engine/trial-load.ts';
export { createLog, type Log } from './log.ts';
export { hardenProcess, readHardening, type HardeningFacts } from './memory/index.ts';
export type { EnclaveState } from './state.ts';
