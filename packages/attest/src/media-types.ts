/**
 * Media types of evidence and endorsements. The type of the evidence decides which roots may vouch for it, so simulated
 * evidence has a type of its own: it can never be mistaken for evidence of hardware, nor the other way round.
 */

/** AMD SEV-SNP evidence: CBOR map {1: report (1184 bytes), ? 2: [certificate DER, ...]}. */
export const SNP_EVIDENCE_TYPE = 'application/vnd.fastness.sev-snp+cbor';

/** Evidence of the simulated TEE, with the content of {@link SNP_EVIDENCE_TYPE}. No hardware stands behind it. */
export const SIMULATED_SNP_EVIDENCE_TYPE = 'application/vnd.fastness.simulated-sev-snp+cbor';

/** Endorsements of SEV-SNP evidence: CBOR map {? 1: [certificate DER, ...], ? 2: [CRL DER, ...]}. Untrusted transport. */
export const SNP_ENDORSEMENTS_TYPE = 'application/vnd.fastness.sev-snp-endorsements+cbor';

/** What Veraison's collectors send: JSON {provider, outblob, ? auxblob}, the blobs of Linux's configfs-tsm in base64url. */
export const TSM_REPORT_TYPE = 'application/vnd.veraison.tsm-report+json';

/** Evidence of AWS Nitro Enclaves: the attestation document as the NSM returns it, a COSE_Sign1 message. */
export const NITRO_EVIDENCE_TYPE = 'application/vnd.fastness.aws-nitro+cose';

/** Evidence of an EC2 instance with NitroTPM: the attestation document as `nitro-tpm-attest` returns it, a COSE_Sign1 message. */
export const NITRO_TPM_EVIDENCE_TYPE = 'application/vnd.fastness.aws-nitrotpm+cose';

/** TPM 2.0 evidence: CBOR map {1: TPMS_ATTEST, 2: TPMT_SIGNATURE, 3: registers by bank and index, ? 4: event log, 5: attestation key}. */
export const TPM_EVIDENCE_TYPE = 'application/vnd.fastness.tpm+cbor';

/** Evidence of a virtual TPM of Google Compute Engine: CBOR map {1 to 4 as in {@link TPM_EVIDENCE_TYPE}, 5: [certificate DER, ...]}. */
export const GCP_VTPM_EVIDENCE_TYPE = 'application/vnd.fastness.gcp-vtpm+cbor';

/** Evidence of a confidential VM of Azure: CBOR map {1 to 4 as in {@link TPM_EVIDENCE_TYPE}, 5: HCL report, ? 6: TD quote, ? 7: [certificate DER, ...]}. */
export const AZURE_VTPM_EVIDENCE_TYPE = 'application/vnd.fastness.azure-vtpm+cbor';

/** Endorsements of the attestation keys of virtual TPMs: CBOR map {? 1: [certificate DER, ...], ? 2: [CRL DER, ...]}. Untrusted transport. */
export const VTPM_ENDORSEMENTS_TYPE = 'application/vnd.fastness.vtpm-endorsements+cbor';

/** Intel TDX evidence: the quote, version 4 or 5, as it came from the quoting enclave; zero padding may follow. */
export const TDX_QUOTE_TYPE = 'application/vnd.fastness.tdx-quote';

/** Intel TDX evidence with the event log of the boot: CBOR map {1: quote as in {@link TDX_QUOTE_TYPE}, 2: log (CCEL)}. */
export const TDX_EVIDENCE_TYPE = 'application/vnd.fastness.tdx+cbor';

/** Intel SGX evidence: the quote, version 3. */
export const SGX_QUOTE_TYPE = 'application/vnd.fastness.sgx-quote';

/** Endorsements of both: JSON with the answers of Intel's PCS as text, their issuer chains (PEM) and the lists (base64url). */
export const DCAP_COLLATERAL_TYPE = 'application/vnd.fastness.dcap-collateral+json';

/** Evidence of an NVIDIA GPU: CBOR map {1: SPDM request and response, 2: [certificate DER, leaf first], ? 3: [CC on, developer tools on]}. */
export const NVIDIA_GPU_EVIDENCE_TYPE = 'application/vnd.fastness.nvidia-gpu+cbor';

/** Evidence of an NVSwitch: CBOR map {1: SPDM request and response, 2: [certificate DER, leaf first]}. */
export const NVIDIA_NVSWITCH_EVIDENCE_TYPE = 'application/vnd.fastness.nvidia-nvswitch+cbor';

/** Endorsements of both: CBOR map {? 1: [reference document, ...], ? 2: [OCSP response DER, ...]}. Untrusted transport. */
export const NVIDIA_ENDORSEMENTS_TYPE = 'application/vnd.fastness.nvidia-endorsements+cbor';

/** Android key attestation: CBOR map {1: [certificate DER, ...]}, the attested key first, the root last. */
export const ANDROID_KEY_EVIDENCE_TYPE = 'application/vnd.fastness.android-key+cbor';

/** Google's status list of attestation keys, JSON as it is served. Nobody signs it; see the policy's `statusLists`. */
export const ANDROID_STATUS_TYPE = 'application/vnd.fastness.android-key-status+json';

/** A token of Microsoft Azure Attestation: the JWS, compact. */
export const AZURE_MAA_TOKEN_TYPE = 'application/vnd.fastness.azure-maa+jwt';

/** A token of Intel Trust Authority: the JWS, compact. */
export const INTEL_TRUST_AUTHORITY_TOKEN_TYPE = 'application/vnd.fastness.intel-trust-authority+jwt';

/** A token of Google Confidential Space: the JWS, compact. */
export const GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE = 'application/vnd.fastness.gcp-confidential-space+jwt';

/** What NVIDIA's Remote Attestation Service returns: JSON `[["JWT", token], {"GPU-0": token, ...}]` (RFC 9711, section 5). */
export const NVIDIA_NRAS_EAT_TYPE = 'application/vnd.fastness.nvidia-nras-eat+json';

/** Endorsement of tokens: a revocation list, DER (RFC 2585). */
export const CRL_TYPE = 'application/pkix-crl';

/** Endorsement of tokens: a JWK set (RFC 7517) with the keys of their issuer. Untrusted transport. */
export const JWK_SET_TYPE = 'application/jwk-set+json';

/** A PSA attestation token: COSE_Sign1 as `psa_initial_attest_get_token` returns it. */
export const PSA_TOKEN_TYPE = 'application/psa-attestation-token';

/** An Arm CCA attestation token: the collection as `RSI_ATTESTATION_TOKEN_CONTINUE` returns it. */
export const CCA_TOKEN_TYPE = 'application/vnd.fastness.arm-cca+cbor';

/** Endorsements of Arm devices and platforms: a CoRIM signed as COSE_Sign1 (draft-ietf-rats-corim, section 11.12). */
export const SIGNED_CORIM_TYPE = 'application/rim+cose';

/** A CoRIM without a signature. Known so that it is refused by a code of its own: nobody answers for it. */
export const UNSIGNED_CORIM_TYPE = 'application/rim+cbor';
