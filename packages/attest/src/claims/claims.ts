import type { ArmCcaClaims, ArmPsaClaims } from './arm.ts';
import type { AndroidKeyClaims } from './android-key.ts';
import type {
  AzureMaaClaims,
  GcpConfidentialSpaceClaims,
  IntelTrustAuthorityClaims,
  NvidiaNrasClaims,
} from './token.ts';
import type { AzureVtpmClaims } from './azure-vtpm.ts';
import type { GcpVtpmClaims } from './gcp-vtpm.ts';
import type { NitroClaims } from './nitro.ts';
import type { NvidiaGpuClaims, NvidiaSwitchClaims } from './nvidia.ts';
import type { SgxClaims, TdxClaims } from './dcap.ts';
import type { SnpClaims } from './snp.ts';
import type { TpmClaims } from './tpm.ts';

/** Facts that were authenticated and that the policy accepts; `tee` says of which kind. */
export type Claims =
  | SnpClaims
  | TdxClaims
  | SgxClaims
  | NitroClaims
  | NvidiaGpuClaims
  | NvidiaSwitchClaims
  | TpmClaims
  | GcpVtpmClaims
  | AzureVtpmClaims
  | AndroidKeyClaims
  | AzureMaaClaims
  | IntelTrustAuthorityClaims
  | GcpConfidentialSpaceClaims
  | NvidiaNrasClaims
  | ArmPsaClaims
  | ArmCcaClaims;
