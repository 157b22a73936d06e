/** Rollback protection: state that is tied to something which does not go back with it. */
export { nextHistory, type AnchorReading, type FreshnessAnchor } from './anchor.ts';
export { encryptingSeal } from './encrypting-seal.ts';
export { recordFile, type RecordStore } from './file-store.ts';
export { signingSeal, type RecordSeal } from './record.ts';
export { openFreshState, type FreshState, type FreshStateOptions } from './state.ts';
export { defaultCounterIndex, openTpmAnchor, type TpmAnchorOptions } from './tpm-anchor.ts';
export { tpmRecordSeal, type TpmRecordSealOptions } from './tpm-record-seal.ts';
export { sealedSecretSchema, sealToTpm, unsealFromTpm, type SealedSecret, type SealingPolicy } from './tpm-seal.ts';
