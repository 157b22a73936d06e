/** Verification of TEE evidence: pure, offline, the same in Node and browser. */
import './errors.ts';
export {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  keyConfigDigestOf,
  reportDataFor,
  reportDataOf,
  sessionPurposes,
  type ReportDataFields,
  type SessionBinding,
  type SessionPurpose,
} from './binding.ts';
export {
  noReleaseDigest,
  TLS_EXPORTER_LABEL,
  tlsCertificateNonceOf,
  tlsConnectionNonceOf,
  tlsExporterDigestOf,
  tlsKeyDigestOf,
} from './tls-binding.ts';
export { VerificationCache } from './cache.ts';
export { checksOf, withChecks, type CheckOutcome, type CheckRecord, type FailedChecks } from './checks.ts';
export type { ClaimsBase, PlatformIdentity } from './claims/base.ts';
export type { AzureVtpmClaims } from './claims/azure-vtpm.ts';
export type { GceInstance, GcpVtpmClaims } from './claims/gcp-vtpm.ts';
export type { ArmCcaClaims, ArmLifecycle, ArmPsaClaims, ArmSoftwareComponent } from './claims/arm.ts';
export type { NitroClaims } from './claims/nitro.ts';
export type { NvidiaGpuClaims, NvidiaReference, NvidiaSwitchClaims } from './claims/nvidia.ts';
export type { QuoteClaims, TpmClaims } from './claims/tpm.ts';
export type { AndroidKeyClaims } from './claims/android-key.ts';
export type {
  AzureMaaClaims,
  GcpConfidentialSpaceClaims,
  IntelTrustAuthorityClaims,
  NrasDevice,
  NvidiaNrasClaims,
  TokenClaimsBase,
} from './claims/token.ts';
export type { SnpClaims, SnpIdentity, SnpTcb } from './claims/snp.ts';
export type { DcapTcbClaims, SgxClaims, TdxClaims } from './claims/dcap.ts';
export type { Claims } from './claims/claims.ts';
export {
  CMW_ATTESTATION_RESULTS,
  CMW_ENDORSEMENTS,
  CMW_EVIDENCE,
  CMW_MAX_VALUE,
  CMW_REFERENCE_VALUES,
  cmwFromJson,
  cmwToJson,
  type Cmw,
  type CmwJson,
} from './cmw.ts';
export {
  CMW_MAX_COLLECTION,
  CMW_MAX_RECORDS,
  cmwCollectionFromCbor,
  cmwCollectionFromJson,
  cmwCollectionToCbor,
  cmwCollectionToJson,
  cmwFromCbor,
  cmwToCbor,
  EVIDENCE_COLLECTION_TYPE,
  evidenceFromJson,
  evidenceToJson,
  isCmwCollection,
  type CmwCollection,
  type CmwCollectionJson,
} from './cmw-collection.ts';
export { earProfiles, readEar, type Ear, type EarSubmodule } from './ear/read-ear.ts';
export { EAR_PROFILE, earClaimsSchema, type EarAppraisal, type EarClaims, type VerifierId } from './ear/schema.ts';
export {
  tierOf,
  trustClaims,
  trustTiers,
  type TrustClaim,
  type Trustworthiness,
  type TrustTier,
  type TrustworthinessVector,
} from './ear/tiers.ts';
export { CPU_SUBMODULE, toEar, trustworthinessOf } from './ear/to-ear.ts';
export type { EvidenceFormat, VerifyEvidenceOptions, VerifySessionOptions } from './formats/format.ts';
export { evidenceFormats } from './formats/registry.ts';
export type { Sha256, VerificationMeans } from './means.ts';
export { gatherNonces, NONCE_BATCH_MAX, verifyNonceProof, type NonceBatch, type NonceProof } from './nonce-batch.ts';
export {
  ANDROID_KEY_EVIDENCE_TYPE,
  ANDROID_STATUS_TYPE,
  AZURE_MAA_TOKEN_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  CRL_TYPE,
  JWK_SET_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  NVIDIA_ENDORSEMENTS_TYPE,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
  NITRO_EVIDENCE_TYPE,
  NITRO_TPM_EVIDENCE_TYPE,
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  SNP_EVIDENCE_TYPE,
  DCAP_COLLATERAL_TYPE,
  SGX_QUOTE_TYPE,
  TDX_EVIDENCE_TYPE,
  TDX_QUOTE_TYPE,
  TSM_REPORT_TYPE,
  AZURE_VTPM_EVIDENCE_TYPE,
  GCP_VTPM_EVIDENCE_TYPE,
  TPM_EVIDENCE_TYPE,
  VTPM_ENDORSEMENTS_TYPE,
  CCA_TOKEN_TYPE,
  PSA_TOKEN_TYPE,
  SIGNED_CORIM_TYPE,
  UNSIGNED_CORIM_TYPE,
} from './media-types.ts';
export type { AzureVtpmPolicy } from './policy/azure-vtpm.ts';
export type { GcpVtpmPolicy } from './policy/gcp-vtpm.ts';
export type { ArmComponent, ArmKey, ArmReference } from './policy/arm.ts';
export { armCcaHashes, type ArmCcaHash, type ArmCcaPolicy } from './policy/arm-cca.ts';
export { armPsaProfiles, type ArmPsaPolicy, type ArmPsaProfile } from './policy/arm-psa.ts';
export type { NitroPolicy } from './policy/nitro.ts';
export { nvidiaGpuModes, type NvidiaGpuPolicy, type NvidiaNvswitchPolicy } from './policy/nvidia.ts';
export type { QuotePolicy, TpmPolicy } from './policy/tpm.ts';
export type { AndroidKeyPolicy } from './policy/android-key.ts';
export type { AzureMaaPolicy } from './policy/azure-maa.ts';
export { confidentialSpaceHardware, type GcpConfidentialSpacePolicy } from './policy/gcp-confidential-space.ts';
export type { IntelTrustAuthorityPolicy } from './policy/intel-trust-authority.ts';
export type { NvidiaNrasPolicy } from './policy/nvidia-nras.ts';
export { tcbStatuses, type DcapPolicy, type TcbStatus } from './policy/dcap.ts';
export type { SgxPolicy } from './policy/sgx.ts';
export type { TdxPolicy } from './policy/tdx.ts';
export { guestProtections, type GuestProtection, type SnpPolicy, type SnpTcbFloor } from './policy/snp.ts';
export {
  attestationPolicySchema,
  parseAttestationPolicy,
  releasedMeasurements,
  sectionOf,
  withMeasurements,
  type AttestationPolicy,
} from './policy/policy.ts';
export { deviceKinds, requireLabel, roleOf, type DeviceKind, type TeeRole } from './roles.ts';
export { policySectionOf, type PolicySectionName, type Tee } from './tees.ts';
export { amdAnchors, amdRoots } from './trust/amd.ts';
export { azureAnchors, azureVtpmRoots } from './trust/azure.ts';
export { gcpVtpmRoots, googleAnchors } from './trust/google.ts';
export type { VtpmTrustAnchor } from './trust/vtpm-anchor.ts';
export { awsAnchors, nitroRoots, type NitroTrustAnchor } from './trust/aws.ts';
export {
  snpProductNames,
  type SnpProductName,
  type IntelTrustAnchor,
  type KnownCertificate,
  type SnpTrustAnchor,
  type TrustAnchors,
} from './trust/anchors.ts';
export { intelRoots } from './trust/intel.ts';
export { nvidiaAnchors, nvidiaDeviceRoots, nvidiaRimRoots, type NvidiaTrustAnchor } from './trust/nvidia.ts';
export {
  androidAnchors,
  androidRoots,
  type AndroidStatus,
  type AndroidTrustAnchor,
  type AndroidTrustAnchors,
} from './trust/google-android.ts';
export { tokenAnchors, tokenRoots, type TokenTrustAnchor } from './trust/tokens.ts';
export { vendorAnchors } from './trust/vendors.ts';
export { isCompositeVerdict, type AttestationVerdict, type CompositeVerdict } from './verdict.ts';
export { verifyEvidence } from './verify.ts';
export { processorEvidenceOf } from './composite.ts';
export { formatOf } from './verify-one.ts';
export { verifyRecordedEvidence } from './verify-recorded.ts';
export { waivableChecks, type AppliedWaiver, type WaivableCheck, type Waiver } from './waivers.ts';
