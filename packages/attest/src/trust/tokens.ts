import type { TokenTee } from '../formats/token/service.ts';

/**
 * A key that vouches for the tokens of an attestation service. Whoever lists one trusts that service as a verifier: it says
 * what hardware it saw, and nothing here can check that it did.
 */
export interface TokenTrustAnchor {
  /** The service, and no other, whose tokens it vouches for. */
  readonly tee: TokenTee;
  readonly name: string;
  /** `authority`: certifies the keys that sign tokens (x5c). `key`: signs tokens itself. */
  readonly kind: 'authority' | 'key';
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. This is the pin. */
  readonly spkiSha256: string;
  /** SHA-256 of the certificate known at the time of writing, lower-case hex; not a pin. Absent: the key has none. */
  readonly certificateSha256?: string;
  /** Where the service publishes it. */
  readonly source: string;
}

/**
 * What is pinned for attestation services. Google alone publishes a root that its tokens carry the chain to. The keys of
 * Azure Attestation, Intel Trust Authority and NRAS come from key sets that change; pin them, or an authority that certifies
 * them, in the policy (`signingKeys`, `authorities`) or in anchors of your own.
 */
export const tokenRoots: readonly TokenTrustAnchor[] = Object.freeze([
  Object.freeze({
    tee: 'gcp-confidential-space',
    name: 'Confidential Space Root CA',
    kind: 'authority',
    spkiSha256: '40b464f4d4ff947572c6b23869a7bccae3f69ba9c81ade6c09d035e4657e40c4',
    certificateSha256: '148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39',
    source: 'https://confidentialcomputing.googleapis.com/.well-known/confidential_space_root.crt',
  } as const),
]);

/** The pinned roots of attestation services, in the form that the verifier takes. */
export const tokenAnchors: { readonly tokens: readonly TokenTrustAnchor[] } = Object.freeze({ tokens: tokenRoots });
