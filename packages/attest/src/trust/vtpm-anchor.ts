/**
 * One pinned root of a cloud's virtual TPMs. The key is what is pinned: a certificate issued anew for the same key stays
 * trusted.
 */
export interface VtpmTrustAnchor {
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
