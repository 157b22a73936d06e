import { androidKeyPolicySchema } from './android-key.ts';
import { azureMaaPolicySchema } from './azure-maa.ts';
import { gcpConfidentialSpacePolicySchema } from './gcp-confidential-space.ts';
import { intelTrustAuthorityPolicySchema } from './intel-trust-authority.ts';
import { nvidiaNrasPolicySchema } from './nvidia-nras.ts';
import { azureVtpmPolicySchema } from './azure-vtpm.ts';
import { gcpVtpmPolicySchema } from './gcp-vtpm.ts';
import { armCcaPolicySchema } from './arm-cca.ts';
import { armPsaPolicySchema } from './arm-psa.ts';
import { nitroPolicySchema } from './nitro.ts';
import { nvidiaGpuPolicySchema, nvidiaNvswitchPolicySchema } from './nvidia.ts';
import { sgxPolicySchema } from './sgx.ts';
import { snpPolicySchema } from './snp.ts';
import { tdxPolicySchema } from './tdx.ts';
import { tpmPolicySchema } from './tpm.ts';
import type { PolicySectionName } from '../tees.ts';

/** The schema of each section of a policy; a section that is absent refuses its TEE. */
export const policySections = Object.freeze({
  snp: snpPolicySchema.exactOptional(),
  tdx: tdxPolicySchema.exactOptional(),
  sgx: sgxPolicySchema.exactOptional(),
  nitro: nitroPolicySchema.exactOptional(),
  nitroTpm: nitroPolicySchema.exactOptional(),
  nvidiaGpu: nvidiaGpuPolicySchema.exactOptional(),
  nvidiaNvswitch: nvidiaNvswitchPolicySchema.exactOptional(),
  tpm: tpmPolicySchema.exactOptional(),
  gcpVtpm: gcpVtpmPolicySchema.exactOptional(),
  azureVtpm: azureVtpmPolicySchema.exactOptional(),
  androidKey: androidKeyPolicySchema.exactOptional(),
  azureMaa: azureMaaPolicySchema.exactOptional(),
  intelTrustAuthority: intelTrustAuthorityPolicySchema.exactOptional(),
  gcpConfidentialSpace: gcpConfidentialSpacePolicySchema.exactOptional(),
  nvidiaNras: nvidiaNrasPolicySchema.exactOptional(),
  armPsa: armPsaPolicySchema.exactOptional(),
  armCca: armCcaPolicySchema.exactOptional(),
} satisfies Record<PolicySectionName, unknown>);

export const policySectionNames: readonly PolicySectionName[] = Object.freeze([
  'snp',
  'tdx',
  'sgx',
  'nitro',
  'nitroTpm',
  'nvidiaGpu',
  'nvidiaNvswitch',
  'tpm',
  'gcpVtpm',
  'azureVtpm',
  'androidKey',
  'azureMaa',
  'intelTrustAuthority',
  'gcpConfidentialSpace',
  'nvidiaNras',
  'armPsa',
  'armCca',
]);
