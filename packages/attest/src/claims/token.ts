import type { TokenTee } from '../formats/token/service.ts';
import type { ClaimsBase } from './base.ts';

/**
 * Facts that an attestation service states in a signed token. Everything but the token itself is the word of its issuer:
 * Fastness saw neither the evidence nor the vendor's certificates. Use the verifier of the TEE itself where its evidence can
 * be had.
 */
export interface TokenClaimsBase extends ClaimsBase {
  readonly tee: TokenTee;
  readonly simulated: false;
  /** Who vouches: the service. */
  readonly vendor: string;
  /** The exact `iss`. */
  readonly issuer: string;
  readonly token: {
    readonly issuedAt: string;
    readonly expiresAt: string;
    /** `jti`. Absent: the token has none. */
    readonly id?: string;
    /** SHA-256 of the SubjectPublicKeyInfo of the key that signed. */
    readonly signerSpkiSha256: string;
    readonly trustedBy: 'pinned-key' | 'pinned-authority';
  };
}

/** Facts of a token of Microsoft Azure Attestation. */
export interface AzureMaaClaims extends TokenClaimsBase {
  readonly tee: 'azure-maa';
  readonly vendor: 'Microsoft';
  readonly attestedTee: 'sgx' | 'sev-snp' | 'tdx';
  /** Whether the TEE is the claim of a nested guest (`x-ms-isolation-tee`), behind Azure's paravisor. */
  readonly nested: boolean;
  /** MRENCLAVE, launch measurement or MRTD. In an Azure confidential VM it covers Microsoft's firmware, not the guest. */
  readonly measurement: string;
  /** `x-ms-compliance-status`; virtual machines only. */
  readonly compliance?: string;
  /** Base64url of the SHA-256 of the service's policy, which decides what tokens say. Absent: not in the token. */
  readonly policyHash?: string;
  readonly hostData?: string;
}

/** Facts of a token of Intel Trust Authority. */
export interface IntelTrustAuthorityClaims extends TokenClaimsBase {
  readonly tee: 'intel-trust-authority';
  readonly vendor: 'Intel';
  readonly attestedTee: 'sgx' | 'tdx';
  /** MRENCLAVE or MRTD. */
  readonly measurement: string;
  readonly tcbStatus: string;
  readonly advisories: readonly string[];
  /** Policies of the service that the evidence met. */
  readonly policiesMatched: readonly string[];
  /** TDX only. */
  readonly rtmrs?: readonly [string, string, string, string];
  /** SGX only. */
  readonly mrSigner?: string;
}

/** Facts of a token of Google Confidential Space. */
export interface GcpConfidentialSpaceClaims extends TokenClaimsBase {
  readonly tee: 'gcp-confidential-space';
  readonly vendor: 'Google';
  /** The instance, as the URL in `sub`. */
  readonly identity: { readonly kind: 'instance-id'; readonly value: string };
  /** SHA-256 digest of the container image, which is what the hardened image was told to run. */
  readonly measurement: string;
  readonly hardware: string;
  readonly imageVersion: string;
  readonly supportAttributes: readonly string[];
  readonly imageReference: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly project: string;
  readonly zone: string;
  readonly serviceAccounts: readonly string[];
}

/** One GPU or switch that NRAS appraised. */
export interface NrasDevice {
  readonly name: string;
  readonly kind: 'gpu' | 'switch';
  readonly ueid: string;
  readonly model: string;
  /** GPUs only. */
  readonly driver?: string;
  /** VBIOS of a GPU, BIOS of a switch. */
  readonly firmware: string;
  readonly debug: boolean;
}

/** Facts of a detached EAT of NVIDIA's Remote Attestation Service. */
export interface NvidiaNrasClaims extends TokenClaimsBase {
  readonly tee: 'nvidia-nras';
  readonly vendor: 'NVIDIA';
  /** The UEIDs of the devices, sorted and joined with commas. */
  readonly identity: { readonly kind: 'ueid'; readonly value: string };
  /**
   * SHA-256 over "kind model driver firmware" of every device, sorted, a line each: which hardware with which versions. NRAS
   * itself compared the measurements with NVIDIA's reference values.
   */
  readonly measurement: string;
  readonly devices: readonly NrasDevice[];
}
