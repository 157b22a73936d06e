import { plainBytes, toHex } from '@fastness/codec';
import type { Certificate } from '@fastness/codec/x509';

/** What a certificate is pinned by, lower-case hex. */
export interface Fingerprints {
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly spki: string;
  /** SHA-256 of the whole certificate. */
  readonly whole: string;
}

const known = new WeakMap<Certificate, Promise<Fingerprints>>();

/** The digests that a root is pinned by. A parsed certificate does not change, so each is computed once. */
export async function fingerprintsOf(certificate: Certificate): Promise<Fingerprints> {
  const found = known.get(certificate);
  if (found !== undefined) return found;
  const computed = Promise.all([sha256Hex(certificate.spki), sha256Hex(certificate.raw)]).then(([spki, whole]) =>
    Object.freeze({ spki, whole }),
  );
  known.set(certificate, computed);
  return computed;
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes))));
}
