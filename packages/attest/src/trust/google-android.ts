/** One pinned root of Android key attestation. The key is what is pinned: Google issues certificates for it anew. */
export interface AndroidTrustAnchor {
  /** The serial number or common name in the root's subject. */
  readonly name: string;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. This is the pin. */
  readonly spkiSha256: string;
  /**
   * SHA-256 of the certificate known at the time of writing, lower-case hex. Not a pin: another certificate of the pinned
   * key is accepted as well, if that key signed it.
   */
  readonly certificateSha256: string;
  /** Where Google publishes the certificate. */
  readonly source: string;
}

/** Google's list of revoked and suspended attestation keys, as whoever calls the verifier fetched it. Nobody signs it. */
export interface AndroidStatus {
  /** The JSON as https://android.googleapis.com/attestation/status serves it. */
  readonly json: Uint8Array;
  readonly fetchedAt: Date;
}

/** What Android key attestations are judged by. */
export interface AndroidTrustAnchors {
  readonly roots: readonly AndroidTrustAnchor[];
  /** Absent: a list must be sent along and pinned in the policy, or its absence waived. */
  readonly status?: AndroidStatus;
}

const source = 'https://android.googleapis.com/attestation/root';

/**
 * Google's roots for keys in secure hardware. The RSA key signed factory and remote certificates until 2026 and has had three
 * certificates; the P-384 key took over with the certificates that Google issues since.
 */
export const androidRoots: readonly AndroidTrustAnchor[] = Object.freeze([
  Object.freeze({
    name: 'f92009e853b6b045',
    spkiSha256: 'feb2ea7551ee316ed4bb443c8293b884dbfdea40b603ee3e4f4a897e4580fbae',
    certificateSha256: 'cedb1cb6dc896ae5ec797348bce9286753c2b38ee71ce0fbe34a9a1248800dfc',
    source,
  }),
  Object.freeze({
    name: 'Key Attestation CA1',
    spkiSha256: '3ee44512a1af2beb39c889490c60ea3f82e43f5d5a5532f5ab9419f676cd07ec',
    certificateSha256: '6d9db4ce6c5c0b293166d08986e05774a8776ceb525d9e4329520de12ba4bcc0',
    source,
  }),
]);

/** The pinned Google roots, in the form that the verifier takes; add the status list of the day. */
export const androidAnchors: { readonly androidKey: AndroidTrustAnchors } = Object.freeze({
  androidKey: Object.freeze({ roots: androidRoots }),
});
