/** Base addresses of the services, without a slash at the end. */
export interface EndorsementServices {
  /** Intel's PCS, or a caching service (PCCS) that answers the same paths: a local one, or Azure's. */
  readonly intel: string;
  /** Where the list of Intel's root CA lies. A PCCS serves it under `/sgx/certification/v4/rootcacrl` itself. */
  readonly intelRootCrl: string;
  /** AMD's key distribution service, or a mirror of it. */
  readonly amd: string;
  readonly nvidiaRim: string;
  readonly nvidiaOcsp: string;
  readonly nvidiaNras: string;
  readonly intelTrustAuthority: string;
  readonly android: string;
  readonly googleConfidentialSpace: string;
  /** The key set of Confidential Space, the whole address. */
  readonly googleConfidentialSpaceKeys: string;
  /** Takes the place of every issuer of Azure Attestation. Absent: each issuer is asked at its own name. */
  readonly azureMaa?: string;
  /** A mirror of what certificates of virtual TPMs name, as MIRROR/HOST/PATH. Absent: the hosts themselves. */
  readonly vtpmMirror?: string;
  /** Azure's instance metadata: plain http on a link-local address, reachable from inside a virtual machine only. */
  readonly azureThim: string;
}

/** The vendors' own services. */
export const vendorServices: EndorsementServices = Object.freeze({
  intel: 'https://api.trustedservices.intel.com',
  intelRootCrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
  amd: 'https://kdsintf.amd.com',
  nvidiaRim: 'https://rim.attestation.nvidia.com',
  nvidiaOcsp: 'https://ocsp.ndis.nvidia.com',
  nvidiaNras: 'https://nras.attestation.nvidia.com',
  intelTrustAuthority: 'https://portal.trustauthority.intel.com',
  android: 'https://android.googleapis.com',
  googleConfidentialSpace: 'https://confidentialcomputing.googleapis.com',
  googleConfidentialSpaceKeys:
    'https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@confidentialspace-sign.iam.gserviceaccount.com',
  azureThim: 'http://169.254.169.254',
});

/** Azure's public caching service for Intel's collateral. */
export const AZURE_PCCS = 'https://global.acccache.azure.net';

/** The addresses that differ when a PCCS takes the place of Intel's service: collateral and root list come from it. */
export function pccsServices(base: string): Pick<EndorsementServices, 'intel' | 'intelRootCrl'> {
  return { intel: base, intelRootCrl: `${base.replace(/\/+$/, '')}/sgx/certification/v4/rootcacrl` };
}
