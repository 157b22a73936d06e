/** One pinned root of AWS Nitro. The key is what is pinned: a certificate issued anew for the same key stays trusted. */
export interface NitroTrustAnchor {
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

/**
 * The root of the Nitro attestation PKI of AWS's commercial partition; it vouches for Nitro Enclaves and NitroTPM alike.
 * The China and GovCloud partitions have roots of their own, which are not pinned here.
 */
export const nitroRoots: readonly NitroTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'aws.nitro-enclaves',
    spkiSha256: 'f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225',
    certificateSha256: '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b',
    source: 'https://aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip',
  } as const),
]);

/** The pinned AWS roots, in the form that the verifier takes. */
export const awsAnchors: { readonly nitro: readonly NitroTrustAnchor[] } = Object.freeze({ nitro: nitroRoots });
