import './errors.ts';
export {
  approvalPayloadType,
  approvalSchema,
  approverIdPattern,
  parseApproval,
  type Approval,
  type ParsedApproval,
} from './approval.ts';
export { clockToleranceMs } from './clock-tolerance.ts';
export { maxKeyShares } from '../key-shares.ts';
export { parseOmsBundle, releaseDigestOf, type BundleMethod, type OmsBundle } from './bundle.ts';
export type { DsseEnvelope } from './dsse.ts';
export {
  encodeOwnerRoot,
  followOwnerRoots,
  ownerRootPayloadType,
  ownerRootSchema,
  ownerRootToSign,
  readOwnerRoot,
  type OwnerRoot,
} from './owner-root.ts';
export { importQuorum, verifyApprovals, type Quorum } from './quorum.ts';
export {
  brokersOf,
  checkReleaseShares,
  logKeysOf,
  measurementBytes,
  parseRelease,
  releaseSchema,
  releaseTees,
  type Release,
  type ReleaseBroker,
  type ReleaseTee,
} from './release-document.ts';
export { parseReleasePackage, releasePackageSchema, type ReleasePackage } from './release-package.ts';
export { parseStatement, type ModelStatement, type Resource, type Serialization } from './statement.ts';
export { meetsTraffic, strongerTraffic, trafficProfiles, type TrafficProfileName } from './traffic-profile.ts';
export {
  verifyOmsBundle,
  type CertificateTrust,
  type KeyTrust,
  type VerifiedOms,
  type VerifyOmsOptions,
} from './verify-bundle.ts';
export { importVerifyKey, keyIdOf, signatureFits, type VerifyAlgorithm, type VerifyKey } from './verify-key.ts';
export { verifyRelease, type VerifiedRelease, type VerifyReleaseOptions } from './verify-release.ts';
