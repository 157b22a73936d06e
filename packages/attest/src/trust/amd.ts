import type { SnpTrustAnchor } from './anchors.ts';

/**
 * AMD's root keys (ARK) for SEV-SNP. The VCEK chain (through the ASK) and the VLEK chain (through the ASVK) of a product
 * end in the same key. Each certificate is the second one in the `cert_chain` that the key distribution service serves.
 */
export const amdRoots: readonly SnpTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'ARK-Milan',
    product: 'Milan',
    spkiSha256: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
    certificateSha256: '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
    source: 'https://kdsintf.amd.com/vcek/v1/Milan/cert_chain',
  } as const),
  Object.freeze({
    name: 'ARK-Genoa',
    product: 'Genoa',
    spkiSha256: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
    certificateSha256: '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
    source: 'https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain',
  } as const),
  Object.freeze({
    name: 'ARK-Turin',
    product: 'Turin',
    spkiSha256: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
    certificateSha256: '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a',
    source: 'https://kdsintf.amd.com/vcek/v1/Turin/cert_chain',
  } as const),
]);

/** The pinned AMD roots, in the form that {@link TrustAnchors} takes. */
export const amdAnchors: { readonly snp: readonly SnpTrustAnchor[] } = Object.freeze({ snp: amdRoots });
