import {
  NVIDIA_ENDORSEMENTS_TYPE,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
  NITRO_EVIDENCE_TYPE,
  NITRO_TPM_EVIDENCE_TYPE,
  SGX_QUOTE_TYPE,
  SNP_ENDORSEMENTS_TYPE,
  TPM_EVIDENCE_TYPE,
  GCP_VTPM_EVIDENCE_TYPE,
  AZURE_VTPM_EVIDENCE_TYPE,
  VTPM_ENDORSEMENTS_TYPE,
  DCAP_COLLATERAL_TYPE,
  ANDROID_KEY_EVIDENCE_TYPE,
  ANDROID_STATUS_TYPE,
  AZURE_MAA_TOKEN_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  CRL_TYPE,
  JWK_SET_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  CCA_TOKEN_TYPE,
  PSA_TOKEN_TYPE,
} from '../media-types.ts';
import { armEndorsementTypes } from './arm/endorsements.ts';
import { armCcaTrustworthiness } from './arm-cca/trustworthiness.ts';
import { verify as verifyArmCca } from './arm-cca/verify.ts';
import { armPsaTrustworthiness } from './arm-psa/trustworthiness.ts';
import { verify as verifyArmPsa } from './arm-psa/verify.ts';
import { androidKeyTrustworthiness } from './android-key/trustworthiness.ts';
import { verify as verifyAndroidKey } from './android-key/verify.ts';
import { azureMaaTrustworthiness } from './azure-maa/trustworthiness.ts';
import { verify as verifyAzureMaa } from './azure-maa/verify.ts';
import { gcpConfidentialSpaceTrustworthiness } from './gcp-confidential-space/trustworthiness.ts';
import { verify as verifyGcpConfidentialSpace } from './gcp-confidential-space/verify.ts';
import { intelTrustAuthorityTrustworthiness } from './intel-trust-authority/trustworthiness.ts';
import { verify as verifyIntelTrustAuthority } from './intel-trust-authority/verify.ts';
import { nvidiaNrasTrustworthiness } from './nvidia-nras/trustworthiness.ts';
import { verify as verifyNvidiaNras } from './nvidia-nras/verify.ts';
import type { EvidenceFormat } from './format.ts';
import { nitroTrustworthiness } from './nitro/trustworthiness.ts';
import { verify as verifyNitro } from './nitro/verify.ts';
import { nvidiaTrustworthiness } from './nvidia/trustworthiness.ts';
import { verify as verifyNvidia } from './nvidia/verify.ts';
import { azureVtpmTrustworthiness } from './azure-vtpm/trustworthiness.ts';
import { verify as verifyAzureVtpm } from './azure-vtpm/verify.ts';
import { verify as verifyGcpVtpm } from './gcp-vtpm/verify.ts';
import { tpmTrustworthiness } from './tpm/trustworthiness.ts';
import { verify as verifyTpm } from './tpm/verify.ts';
import { dcapTrustworthiness } from './dcap/trustworthiness.ts';
import { verify as verifySgx } from './sgx/verify.ts';
import { tdxEvidenceTypes } from './tdx/evidence.ts';
import { verify as verifyTdx } from './tdx/verify.ts';
import { snpEvidenceTypes } from './snp/evidence.ts';
import { snpTrustworthiness } from './snp/trustworthiness.ts';
import { verify } from './snp/verify.ts';

/** The kinds of evidence that can be verified. Below this table nothing switches on the kind. */
export const evidenceFormats: readonly EvidenceFormat[] = Object.freeze([
  Object.freeze({
    tee: 'sev-snp',
    evidenceTypes: snpEvidenceTypes,
    endorsementTypes: Object.freeze([SNP_ENDORSEMENTS_TYPE]),
    trustworthiness: snpTrustworthiness,
    readsAtOnce: true,
    verify,
  }),
  Object.freeze({
    tee: 'tdx',
    evidenceTypes: tdxEvidenceTypes,
    endorsementTypes: Object.freeze([DCAP_COLLATERAL_TYPE]),
    trustworthiness: dcapTrustworthiness,
    readsAtOnce: true,
    verify: verifyTdx,
  }),
  Object.freeze({
    tee: 'sgx',
    evidenceTypes: Object.freeze([SGX_QUOTE_TYPE]),
    endorsementTypes: Object.freeze([DCAP_COLLATERAL_TYPE]),
    trustworthiness: dcapTrustworthiness,
    readsAtOnce: true,
    verify: verifySgx,
  }),
  Object.freeze({
    tee: 'aws-nitro',
    evidenceTypes: Object.freeze([NITRO_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([]),
    trustworthiness: nitroTrustworthiness,
    readsAtOnce: true,
    verify: verifyNitro,
  }),
  Object.freeze({
    tee: 'aws-nitrotpm',
    evidenceTypes: Object.freeze([NITRO_TPM_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([]),
    trustworthiness: nitroTrustworthiness,
    verify: verifyNitro,
  }),
  Object.freeze({
    tee: 'nvidia-gpu',
    evidenceTypes: Object.freeze([NVIDIA_GPU_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([NVIDIA_ENDORSEMENTS_TYPE]),
    trustworthiness: nvidiaTrustworthiness,
    verify: verifyNvidia,
  }),
  Object.freeze({
    tee: 'nvidia-nvswitch',
    evidenceTypes: Object.freeze([NVIDIA_NVSWITCH_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([NVIDIA_ENDORSEMENTS_TYPE]),
    trustworthiness: nvidiaTrustworthiness,
    verify: verifyNvidia,
  }),
  Object.freeze({
    tee: 'tpm',
    evidenceTypes: Object.freeze([TPM_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([]),
    trustworthiness: tpmTrustworthiness,
    verify: verifyTpm,
  }),
  Object.freeze({
    tee: 'gcp-vtpm',
    evidenceTypes: Object.freeze([GCP_VTPM_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([VTPM_ENDORSEMENTS_TYPE]),
    trustworthiness: tpmTrustworthiness,
    verify: verifyGcpVtpm,
  }),
  Object.freeze({
    tee: 'azure-vtpm',
    evidenceTypes: Object.freeze([AZURE_VTPM_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([VTPM_ENDORSEMENTS_TYPE, SNP_ENDORSEMENTS_TYPE, DCAP_COLLATERAL_TYPE]),
    trustworthiness: azureVtpmTrustworthiness,
    verify: verifyAzureVtpm,
  }),
  Object.freeze({
    tee: 'android-key',
    evidenceTypes: Object.freeze([ANDROID_KEY_EVIDENCE_TYPE]),
    endorsementTypes: Object.freeze([ANDROID_STATUS_TYPE]),
    trustworthiness: androidKeyTrustworthiness,
    verify: verifyAndroidKey,
  }),
  Object.freeze({
    tee: 'azure-maa',
    evidenceTypes: Object.freeze([AZURE_MAA_TOKEN_TYPE]),
    endorsementTypes: Object.freeze([JWK_SET_TYPE, CRL_TYPE]),
    trustworthiness: azureMaaTrustworthiness,
    verify: verifyAzureMaa,
  }),
  Object.freeze({
    tee: 'intel-trust-authority',
    evidenceTypes: Object.freeze([INTEL_TRUST_AUTHORITY_TOKEN_TYPE]),
    endorsementTypes: Object.freeze([JWK_SET_TYPE, CRL_TYPE]),
    trustworthiness: intelTrustAuthorityTrustworthiness,
    verify: verifyIntelTrustAuthority,
  }),
  Object.freeze({
    tee: 'gcp-confidential-space',
    evidenceTypes: Object.freeze([GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE]),
    endorsementTypes: Object.freeze([JWK_SET_TYPE, CRL_TYPE]),
    trustworthiness: gcpConfidentialSpaceTrustworthiness,
    verify: verifyGcpConfidentialSpace,
  }),
  Object.freeze({
    tee: 'nvidia-nras',
    evidenceTypes: Object.freeze([NVIDIA_NRAS_EAT_TYPE]),
    endorsementTypes: Object.freeze([JWK_SET_TYPE, CRL_TYPE]),
    trustworthiness: nvidiaNrasTrustworthiness,
    verify: verifyNvidiaNras,
  }),
  Object.freeze({
    tee: 'arm-psa',
    evidenceTypes: Object.freeze([PSA_TOKEN_TYPE]),
    endorsementTypes: armEndorsementTypes,
    trustworthiness: armPsaTrustworthiness,
    verify: verifyArmPsa,
  }),
  Object.freeze({
    tee: 'arm-cca',
    evidenceTypes: Object.freeze([CCA_TOKEN_TYPE]),
    endorsementTypes: armEndorsementTypes,
    trustworthiness: armCcaTrustworthiness,
    verify: verifyArmCca,
  }),
]);
