import type { IntelTrustAnchor } from './anchors.ts';

/** Intel's root key for SGX and TDX: PCK certificates, TCB info and enclave identities all end in it. */
export const intelRoots: readonly IntelTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'Intel SGX Root CA',
    spkiSha256: 'a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e',
    certificateSha256: '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3',
    source: 'https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer',
  }),
]);
