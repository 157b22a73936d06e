/** The simulated TEE: plays AMD's secure processor without protecting anything. For tests and for trying things out. */
export { listImage, type ImageEntry } from './image-files.ts';
export { measureImage, type MeasureImageOptions } from './measure-image.ts';
export type { SimulatedReport } from './reporter.ts';
export { SIMULATED_BANNER, startSimulatedTee, type SimulatedTee, type SimulatedTeeOptions } from './start.ts';
export { simulatedTrust, type SimulatedTrust } from './state.ts';
