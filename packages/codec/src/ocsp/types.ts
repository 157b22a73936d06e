import type { Certificate, Extension, SignatureAlgorithm } from '../x509/index.ts';

/** Hashes that a responder may name certificates with. They identify; nothing rests on their strength. */
export type OcspHashName = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Which certificate an answer is about (RFC 6960, section 4.1.1): hashes of its issuer's name and key, and its serial. */
export interface OcspCertificateId {
  readonly hash: OcspHashName;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  readonly serial: Uint8Array;
}

export type OcspStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'revoked';
      readonly date: Date;
      /** CRLReason (RFC 5280, section 5.3.1), for instance 6 certificateHold. */
      readonly reason?: number;
    };

/** What a response says about one certificate. */
export interface OcspAnswer {
  readonly id: OcspCertificateId;
  readonly status: OcspStatus;
  readonly thisUpdate: Date;
  /** Absent: newer information may be there at any time. */
  readonly nextUpdate?: Date;
}

/** Who signed a response: by name (DER of the Name), or by the SHA-1 of the key. */
export type OcspResponderId =
  { readonly kind: 'name'; readonly name: Uint8Array } | { readonly kind: 'key'; readonly sha1: Uint8Array };

/** A parsed basic response. Parsing proves nothing: see `authorisedResponder` and `verifySignature`. */
export interface OcspResponse {
  /** The DER that the signature covers. */
  readonly tbs: Uint8Array;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  readonly responder: OcspResponderId;
  readonly producedAt: Date;
  readonly answers: readonly OcspAnswer[];
  /** The nonce extension's content (RFC 9654), without its OCTET STRING header. */
  readonly nonce?: Uint8Array;
  /** By dotted object identifier. */
  readonly extensions: ReadonlyMap<string, Extension>;
  /** Certificates that came along, usually the responder's own. */
  readonly certificates: readonly Certificate[];
}
