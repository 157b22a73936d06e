/** Reference values: what an image will measure as, computed from its bytes without running it. */
import './errors.ts';
export { cpuSignatures } from './cpu-types.ts';
export { parseEif, type EifImage, type EifSection, type EifSectionKind } from './eif.ts';
export { imageKindOf, type ImageKind } from './kind.ts';
export { predictNitro, type MeasuredSection, type PredictedNitro } from './nitro.ts';
export { parseOvmf, type OvmfImage, type OvmfSection, type OvmfSectionKind } from './ovmf.ts';
export { parsePe, type PeImage, type PeSection } from './pe.ts';
export {
  predictDirectRtmrs,
  predictUkiRtmrs,
  unpredictedRtmrs,
  type DirectBoot,
  type PredictedRtmr,
  type PredictedRtmrs,
} from './rtmr.ts';
export { compareRtmrLog } from './rtmr-log.ts';
export { predictRuntimeRtmr, rtmrPolicyOf, rtmrPolicyOfLog, type RtmrPolicy } from './rtmr-policy.ts';
export { predictSnp, type PredictedSnp, type SnpMachine } from './snp.ts';
export type { SnpHypervisor } from './vmsa.ts';
export { predictTdx, type PredictedTdx, type TdxOrder } from './tdx.ts';
export { predictUki, type PredictedRegisters } from './uki.ts';
