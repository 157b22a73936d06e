export { deriveFileKey, fileAad, rootKeyContext, rootKeyLength, type SealIdentity } from './derive.ts';
export { keysFileSchema } from './keys-file.ts';
export { openSealedFile, type OpenSealedFileOptions } from './open-file.ts';
export { prepareTarget, type PreparedTarget, type PrepareTargetOptions } from './prepare-target.ts';
export { sealModel, type SealModelOptions } from './seal-model.ts';
export { readSealedModel, rewrapSealedModel, type SealedModel } from './sealed-model.ts';
export { verifySealedFiles, type VerifySealedFilesOptions } from './verify-sealed-files.ts';
