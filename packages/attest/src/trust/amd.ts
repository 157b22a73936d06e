import type { KnownCertificate, SnpProductName, SnpTrustAnchor } from './anchors.ts';

/**
 * AMD's root keys (ARK) for SEV-SNP. The VCEK chain (through the ASK) and the VLEK chain (through the ASVK) of a product
 * end in the same key. Each certificate is the second one in the `cert_chain` that the key distribution service serves; the
 * first is the intermediate: the ASK under /vcek/v1, the ASVK under /vlek/v1.
 */
export const amdRoots: readonly SnpTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'ARK-Milan',
    product: 'Milan',
    spkiSha256: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
    certificateSha256: '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
    intermediates: intermediatesOf('Milan', {
      vcek: '67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b',
      vlek: 'c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5',
    }),
    source: 'https://kdsintf.amd.com/vcek/v1/Milan/cert_chain',
  } as const),
  Object.freeze({
    name: 'ARK-Genoa',
    product: 'Genoa',
    spkiSha256: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
    certificateSha256: '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
    intermediates: intermediatesOf('Genoa', {
      vcek: '5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521',
      vlek: '197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372',
    }),
    source: 'https://kdsintf.amd.com/vcek/v1/Genoa/cert_chain',
  } as const),
  Object.freeze({
    name: 'ARK-Turin',
    product: 'Turin',
    spkiSha256: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
    certificateSha256: '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a',
    intermediates: intermediatesOf('Turin', {
      vcek: '5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185',
      vlek: '104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c',
    }),
    source: 'https://kdsintf.amd.com/vcek/v1/Turin/cert_chain',
  } as const),
]);

/** The pinned AMD roots, in the form that {@link TrustAnchors} takes. */
export const amdAnchors: { readonly snp: readonly SnpTrustAnchor[] } = Object.freeze({ snp: amdRoots });

function intermediatesOf(
  product: SnpProductName,
  { vcek, vlek }: { readonly vcek: string; readonly vlek: string },
): readonly KnownCertificate[] {
  return Object.freeze([
    Object.freeze({ name: `SEV-${product}`, certificateSha256: vcek }),
    Object.freeze({ name: `SEV-VLEK-${product}`, certificateSha256: vlek }),
  ]);
}
