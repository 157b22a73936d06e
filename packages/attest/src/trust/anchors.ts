import type { NitroTrustAnchor } from './aws.ts';
import type { NvidiaTrustAnchor } from './nvidia.ts';
import type { VtpmTrustAnchor } from './vtpm-anchor.ts';
import type { AndroidTrustAnchors } from './google-android.ts';
import type { TokenTrustAnchor } from './tokens.ts';

/** Products whose SEV-SNP reports this verifier reads. Each has its own root, TCB layout and CPUID range. */
export const snpProductNames = Object.freeze(['Milan', 'Genoa', 'Turin'] as const);
export type SnpProductName = (typeof snpProductNames)[number];

/** A certificate that a pinned root is known to have issued. */
export interface KnownCertificate {
  /** Common name. */
  readonly name: string;
  /** SHA-256 of the whole certificate, lower-case hex. */
  readonly certificateSha256: string;
}

/** One pinned root. The key is what is pinned: a certificate that AMD issues anew for the same key stays trusted. */
export interface SnpTrustAnchor {
  /** Common name of the root certificate. */
  readonly name: string;
  /** The product that this root vouches for, and no other. */
  readonly product: SnpProductName;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. This is the pin. */
  readonly spkiSha256: string;
  /**
   * SHA-256 of the certificate known at the time of writing, lower-case hex. Not a pin: another certificate of the pinned
   * key is accepted as well, if that key signed it. This one is known to be, so its own signature need not be verified.
   */
  readonly certificateSha256: string;
  /**
   * Intermediates that the root is known to have issued, at the time of writing. Not pins: others are accepted as well, if
   * the root's key signed them. The root's signature on these need not be verified; validity and revocation still count.
   */
  readonly intermediates?: readonly KnownCertificate[];
  /** Where the vendor publishes the certificate. */
  readonly source: string;
}

/** Intel's root for SGX and TDX. The key is what is pinned: a root of the same name with another key is a stranger. */
export interface IntelTrustAnchor {
  /** Common name of the root certificate. */
  readonly name: string;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. This is the pin. */
  readonly spkiSha256: string;
  /** SHA-256 of the certificate known at the time of writing, lower-case hex. Not a pin. */
  readonly certificateSha256: string;
  /** Where the vendor publishes the certificate. */
  readonly source: string;
}

/** The roots that genuine evidence may end in, by vendor. Nothing is trusted by default: an absent list has no roots. */
export interface TrustAnchors {
  readonly snp?: readonly SnpTrustAnchor[];
  readonly intel?: readonly IntelTrustAnchor[];
  readonly nitro?: readonly NitroTrustAnchor[];
  /** Roots of GPUs and switches. */
  readonly nvidiaDevices?: readonly NvidiaTrustAnchor[];
  /** Roots of the documents that their measurements are compared with. */
  readonly nvidiaRims?: readonly NvidiaTrustAnchor[];
  readonly gcpVtpm?: readonly VtpmTrustAnchor[];
  readonly azureVtpm?: readonly VtpmTrustAnchor[];
  readonly tokens?: readonly TokenTrustAnchor[];
  readonly androidKey?: AndroidTrustAnchors;
}
