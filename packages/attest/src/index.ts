/** Verification of TEE evidence: pure, offline, the same in Node and browser. */
export { keyConfigDigestOf, reportDataOf, type ReportDataFields } from './binding.ts';
export type { CheckOutcome, CheckRecord } from './checks.ts';
export type { ClaimsBase, PlatformIdentity } from './claims-base.ts';
export type { SnpClaims, SnpIdentity, SnpTcb } from './claims-snp.ts';
export type { Claims } from './claims.ts';
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
export type { EvidenceFormat, VerifyEvidenceOptions } from './formats/format.ts';
export { evidenceFormats } from './formats/registry.ts';
export {
  SIMULATED_SNP_EVIDENCE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  SNP_EVIDENCE_TYPE,
  TSM_REPORT_TYPE,
} from './media-types.ts';
export { guestProtections, type GuestProtection, type SnpPolicy, type SnpTcbFloor } from './policy-snp.ts';
export {
  attestationPolicySchema,
  parseAttestationPolicy,
  sectionOf,
  withMeasurements,
  type AttestationPolicy,
} from './policy.ts';
export { policySectionOf, type PolicySectionName, type Tee } from './tees.ts';
export { amdAnchors, amdRoots } from './trust/amd.ts';
export { snpProductNames, type SnpProductName, type SnpTrustAnchor, type TrustAnchors } from './trust/anchors.ts';
export { vendorAnchors } from './trust/vendors.ts';
export type { AttestationVerdict } from './verdict.ts';
export { verifyEvidence } from './verify.ts';
export { waivableChecks, type AppliedWaiver, type WaivableCheck, type Waiver } from './waivers.ts';
