import type { Certificate } from '@fastness/codec/x509';

/**
 * A reference integrity manifest of NVIDIA: the measurements that a version of a driver or of a firmware makes. A claim of
 * whoever sent it until `authenticateRim` accepts it.
 */
export interface RimDocument {
  /** Identifier of the tag, hex. */
  readonly tagId: string;
  /** GPU or SWITCH. */
  readonly edition: string;
  /** Chip, for instance GH100. */
  readonly product: string;
  /** Version of the driver or firmware (colloquialVersion). */
  readonly version: string;
  /** Accepted SHA-384 digests of each active index, hex. */
  readonly measurements: ReadonlyMap<number, readonly string[]>;
  /** What is signed and by whom. */
  readonly signed: RimSignature;
}

/** An enveloped signature (XML-DSig), with everything that it covers in canonical form. */
export interface RimSignature {
  /** Canonical form of the document without the signature. */
  readonly content: Uint8Array;
  /** SHA-384 that the signature states for `content`. */
  readonly digest: Uint8Array;
  /** Canonical form of SignedInfo, which holds the digest. */
  readonly signedInfo: Uint8Array;
  /** r and s, 48 bytes each. */
  readonly signature: Uint8Array;
  /** Leaf first. */
  readonly certificates: readonly Certificate[];
}
