export { deriveFileKey, fileAad, rootKeyContext, rootKeyLength, type SealIdentity } from './derive.ts';
export {
  keySharesFileSchema,
  keysFileSchema,
  sealedShareSchema,
  type KeySharesFile,
  type ModelKeys,
  type SealedShare,
  type ShareRecipient,
} from './keys-file.ts';
export { openSealedFile, type OpenSealedFileOptions } from './open-file.ts';
export { prepareTarget, type PreparedTarget, type PrepareTargetOptions } from './prepare-target.ts';
export {
  sealModel,
  sealSharedModel,
  type SealModelOptions,
  type SealSharedModelOptions,
  type ShareHolder,
} from './seal-model.ts';
export { readSealedModel, rewrapSealedModel, type SealedModel } from './sealed-model.ts';
export { verifySealedFiles, type VerifySealedFilesOptions } from './verify-sealed-files.ts';
