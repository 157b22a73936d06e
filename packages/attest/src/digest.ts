import { toHex } from '@fastness/codec';
import type { Certificate } from '@fastness/codec/x509';
import { sha256By, type VerificationMeans } from './means.ts';

/** What a certificate is pinned by, lower-case hex. */
export interface Fingerprints {
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly spki: string;
  /** SHA-256 of the whole certificate. */
  readonly whole: string;
}

// A parsed certificate does not change, so each digest is computed once.
const knownFingerprints = new WeakMap<Certificate, Promise<Fingerprints>>();
const knownWhole = new WeakMap<Certificate, Promise<string>>();

/** The digests that a root is pinned by. */
export async function fingerprintsOf(certificate: Certificate, means: VerificationMeans = {}): Promise<Fingerprints> {
  return once(knownFingerprints, certificate, async () => {
    const [spki, whole] = await Promise.all([
      sha256Hex(certificate.spki, means),
      certificateSha256Of(certificate, means),
    ]);
    return Object.freeze({ spki, whole });
  });
}

/** SHA-256 of the whole certificate, lower-case hex. */
export async function certificateSha256Of(certificate: Certificate, means: VerificationMeans = {}): Promise<string> {
  return once(knownWhole, certificate, async () => sha256Hex(certificate.raw, means));
}

/** SHA-256 in lower-case hex. */
export async function sha256Hex(bytes: Uint8Array, means: VerificationMeans = {}): Promise<string> {
  return toHex(await sha256By(means, bytes));
}

async function once<Value>(
  known: WeakMap<Certificate, Promise<Value>>,
  certificate: Certificate,
  compute: () => Promise<Value>,
): Promise<Value> {
  const found = known.get(certificate);
  if (found !== undefined) return found;
  const computed = compute();
  known.set(certificate, computed);
  return computed;
}
