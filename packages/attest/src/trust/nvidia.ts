/** One pinned root of NVIDIA. The key is what is pinned: a certificate issued anew for the same key stays trusted. */
export interface NvidiaTrustAnchor {
  /** Common name of the root certificate. */
  readonly name: string;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. This is the pin. */
  readonly spkiSha256: string;
  /**
   * SHA-256 of the certificate known at the time of writing, lower-case hex. Not a pin: another certificate of the pinned
   * key is accepted as well, if that key signed it. This one is known to be, so its own signature need not be verified.
   */
  readonly certificateSha256: string;
  /** Where the vendor publishes the certificate. */
  readonly source: string;
}

/** The root under which NVIDIA certifies GPUs and NVSwitches. Its certificates do not expire. */
export const nvidiaDeviceRoots: readonly NvidiaTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'NVIDIA Device Identity CA',
    spkiSha256: 'a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4',
    certificateSha256: '102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48',
    source: 'https://github.com/NVIDIA/attestation-sdk, DEVICE_ROOT_CERT',
  } as const),
]);

/** The root under which NVIDIA signs reference integrity manifests of drivers and firmware. */
export const nvidiaRimRoots: readonly NvidiaTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'NVIDIA CoRIM signing Root CA',
    spkiSha256: 'dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3',
    certificateSha256: '12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1',
    source: 'https://github.com/NVIDIA/attestation-sdk, RIM_ROOT_CERT',
  } as const),
]);

/** The pinned NVIDIA roots, in the form that the verifier takes. */
export const nvidiaAnchors: {
  readonly nvidiaDevices: readonly NvidiaTrustAnchor[];
  readonly nvidiaRims: readonly NvidiaTrustAnchor[];
} = Object.freeze({ nvidiaDevices: nvidiaDeviceRoots, nvidiaRims: nvidiaRimRoots });
