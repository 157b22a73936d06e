export { approveRelease, signApproval, type ApprovedRelease, type ApproveReleaseOptions } from './approve-release.ts';
export { packageFiles } from '../package-files.ts';
export { readOwnerSets, readReleasePackage } from './read-package.ts';
export { defaultShardSize, serializeModel, type SerializedModel, type SerializeOptions } from './serialize.ts';
export { signModel, type SignedModel, type SigningKey } from './sign-model.ts';
export { signRelease, type SignedRelease, type SignReleaseOptions } from './sign-release.ts';
export { verifyModel, type VerifiedModel, type VerifyModelOptions } from './verify-model.ts';
