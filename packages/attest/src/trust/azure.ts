import type { VtpmTrustAnchor } from './vtpm-anchor.ts';

/** The root of attestation keys of the virtual TPMs of Azure, of confidential VMs and of trusted launch. */
export const azureVtpmRoots: readonly VtpmTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'Azure Virtual TPM Root Certificate Authority 2023',
    spkiSha256: '5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf',
    certificateSha256: 'e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95',
    source: 'http://www.microsoft.com/pkiops/certs/Azure%20Virtual%20TPM%20Root%20Certificate%20Authority%202023.crt',
  } as const),
]);

/** The pinned Azure roots, in the form that the verifier takes. */
export const azureAnchors: { readonly azureVtpm: readonly VtpmTrustAnchor[] } = Object.freeze({
  azureVtpm: azureVtpmRoots,
});
