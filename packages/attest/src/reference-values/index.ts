/** Reference values: what an image will measure as, computed from its bytes without running it. */
import './errors.ts';
export { parsePe, type PeImage, type PeSection } from './pe.ts';
export { predictUki, type PredictedRegisters } from './uki.ts';
