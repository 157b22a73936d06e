/**
 * The kinds of TEE whose evidence can be verified, and the section of a policy that speaks for each. Below this table and
 * the registry of formats nothing switches on the kind.
 */
export const policySectionOf = Object.freeze({
  'sev-snp': 'snp',
  tdx: 'tdx',
  sgx: 'sgx',
  'aws-nitro': 'nitro',
  'aws-nitrotpm': 'nitroTpm',
  'nvidia-gpu': 'nvidiaGpu',
  'nvidia-nvswitch': 'nvidiaNvswitch',
  tpm: 'tpm',
  'gcp-vtpm': 'gcpVtpm',
  'azure-vtpm': 'azureVtpm',
  'android-key': 'androidKey',
  'azure-maa': 'azureMaa',
  'intel-trust-authority': 'intelTrustAuthority',
  'gcp-confidential-space': 'gcpConfidentialSpace',
  'nvidia-nras': 'nvidiaNras',
  'arm-psa': 'armPsa',
  'arm-cca': 'armCca',
} as const);

/** A kind of TEE, as claims and releases name it. */
export type Tee = keyof typeof policySectionOf;
/** Name of a section of the policy. */
export type PolicySectionName = (typeof policySectionOf)[Tee];
