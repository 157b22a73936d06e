import type { PublicKeyInfo } from './public-key.ts';
import type { SignatureAlgorithm } from './signature-algorithm.ts';

/** A distinguished name. Compare names by `raw`; `commonName` is for reading. */
export interface Name {
  /** The DER of the Name, header included. */
  readonly raw: Uint8Array;
  readonly commonName?: string;
}

/** The content of one extension, not interpreted. */
export interface Extension {
  readonly critical: boolean;
  /** The content of extnValue; usually, but not always, DER. */
  readonly value: Uint8Array;
}

/** Basic constraints (RFC 5280, section 4.2.1.9). */
export interface BasicConstraints {
  readonly ca: boolean;
  /** How many intermediate authorities may follow; absent means no limit. */
  readonly pathLength?: number;
}

/** The names of RFC 5280, section 4.2.1.3, in bit order. */
export type KeyUsage =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign'
  | 'encipherOnly'
  | 'decipherOnly';

/** What a certificate and a CRL share: bytes, the issuer's name, and a signature that nothing has verified yet. */
export interface SignedObject {
  /** The whole DER. */
  readonly raw: Uint8Array;
  /** The DER that the signature covers. */
  readonly tbs: Uint8Array;
  readonly issuer: Name;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

/** A parsed X.509 certificate. Parsing proves nothing: see `verifySignedBy` and `checkValidity`. */
export interface Certificate extends SignedObject {
  readonly kind: 'certificate';
  readonly version: 3;
  /** Two's complement octets in their shortest form, not negative; zero occurs (AMD VCEK). */
  readonly serial: Uint8Array;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly publicKey: PublicKeyInfo;
  /** By dotted object identifier, in the order of the certificate. */
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly basicConstraints?: BasicConstraints;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
}

/** One revoked certificate. */
export interface RevokedCertificate {
  readonly serial: Uint8Array;
  readonly date: Date;
  /** CRLReason (RFC 5280, section 5.3.1), for instance 1 keyCompromise. */
  readonly reason?: number;
}

/** A parsed certificate revocation list. Parsing proves nothing: see `verifySignedBy` and `checkCrlWindow`. */
export interface Crl extends SignedObject {
  readonly kind: 'crl';
  readonly thisUpdate: Date;
  readonly nextUpdate?: Date;
  readonly revoked: readonly RevokedCertificate[];
  readonly extensions: ReadonlyMap<string, Extension>;
}
