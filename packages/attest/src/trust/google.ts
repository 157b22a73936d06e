import type { VtpmTrustAnchor } from './vtpm-anchor.ts';

/** The root of endorsement and attestation keys of the virtual TPMs of Google Compute Engine. */
export const gcpVtpmRoots: readonly VtpmTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'EK/AK CA Root',
    spkiSha256: '56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f',
    certificateSha256: '594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2',
    source:
      'http://privateca-content-62d71773-0000-21da-852e-f4f5e80d7778.storage.googleapis.com/032bf9d39db4fa06aade/ca.crt',
  } as const),
]);

/** The pinned Google roots, in the form that the verifier takes. */
export const googleAnchors: { readonly gcpVtpm: readonly VtpmTrustAnchor[] } = Object.freeze({ gcpVtpm: gcpVtpmRoots });
