import { plainBytes } from '@fastness/codec';
import {
  parseCertificate,
  parseCrl,
  webCryptoVerifier,
  type Certificate,
  type Crl,
  type SignatureVerifier,
} from '@fastness/codec/x509';
import type { VerificationCache } from './cache.ts';

/** The 32 bytes of a SHA-256; of the argument as it is when called. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** With what a verification is done. None of it changes the verdict. */
export interface VerificationMeans {
  /** Verifies single signatures. Absent: WebCrypto. */
  readonly signatures?: SignatureVerifier;
  /** SHA-256 of certificates and of collateral. Absent: WebCrypto. */
  readonly sha256?: Sha256;
  /** Remembers certificates, collateral and the signatures under them. Absent: nothing is remembered. */
  readonly cache?: VerificationCache;
}

/** Verifies signatures on evidence, which is new every time. */
export function evidenceVerifier({ signatures = webCryptoVerifier }: VerificationMeans): SignatureVerifier {
  return signatures;
}

/** Verifies signatures on certificates, lists and collateral, which come again. */
export function endorsementVerifier({ signatures = webCryptoVerifier, cache }: VerificationMeans): SignatureVerifier {
  return cache === undefined ? signatures : cache.remember(signatures);
}

/** SHA-256 of what need not be secret. */
export async function sha256By({ sha256 = webSha256 }: VerificationMeans, bytes: Uint8Array): Promise<Uint8Array> {
  return sha256(bytes);
}

async function webSha256(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes)));
}

/** Reads a certificate, or takes it from the cache. */
export function readCertificate(der: Uint8Array, means: VerificationMeans): Certificate {
  return readOnce('certificate', der, parseCertificate, means);
}

/** Reads a revocation list, or takes it from the cache. */
export function readCrl(der: Uint8Array, means: VerificationMeans): Crl {
  return readOnce('crl', der, parseCrl, means);
}

/** Reads `bytes`, or takes what the same `read` made of them from the cache. `kind` names the reader. */
export function readOnce<T>(
  kind: string,
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => T,
  { cache }: VerificationMeans,
): T {
  return cache === undefined ? read(bytes) : cache.read(kind, bytes, read);
}
