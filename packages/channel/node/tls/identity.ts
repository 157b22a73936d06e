import type { KeyObject } from 'node:crypto';
import { noReleaseDigest, tlsCertificateNonceOf, tlsKeyDigestOf, type SessionBinding } from '@fastness/attest';
import { encodeEvidenceExtension, type TlsEvidence } from '@fastness/channel/tls';
import { encodePem } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { createTlsKey, positiveSerial, writeCertificate, type TlsKey } from './certificate.ts';

/** Makes evidence of this machine, processor and devices, bound to a session: `collectSession` of `@fastness/evidence`. */
export type CollectTlsEvidence = (session: SessionBinding) => Promise<TlsEvidence>;

export interface TlsIdentityOptions {
  readonly collect: CollectTlsEvidence;
  /** SHA-256 of the signed release that this service runs, 32 bytes. Absent: it serves none. */
  readonly releaseDigest?: Uint8Array;
  /** Seconds that a certificate is valid for, 60 to 604,800. Default: 86,400. */
  readonly lifetimeSeconds?: number;
  /** Whether endorsements go into the certificate. Default: true. Without them it is smaller, and verifiers need their own. */
  readonly withEndorsements?: boolean;
  /** Default: a new one. */
  readonly key?: TlsKey;
  readonly now?: () => Date;
}

/** A key that was born in this process and never leaves it, and the certificate that it has now. */
export interface TlsIdentity {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  readonly releaseDigest: Uint8Array;
  readonly collect: CollectTlsEvidence;
  /** For `tls.createSecureContext`. */
  readonly key: KeyObject;
  /** A certificate that is not past the half of its life: the last one, or a new one with new evidence. */
  readonly certificate: () => Promise<TlsCertificate>;
}

export interface TlsCertificate {
  readonly pem: string;
  readonly raw: Uint8Array;
  readonly notAfter: Date;
}

const DEFAULT_LIFETIME_SECONDS = 86_400;
/** How far the clocks of two machines may be apart. */
const BACKDATED_MS = 5 * 60_000;
/** Readers take 64 KiB; the rest of a certificate is far below the difference. */
const MAX_CERTIFICATE_BYTES = 60 * 1024;

/**
 * Makes certificates for a P-256 key. The first one is made here, so that a machine without evidence fails at once.
 * @throws FastnessError `CHANNEL_TLS_OPTION`, `CHANNEL_TLS_CERTIFICATE_TOO_LARGE`, and what `collect` throws
 */
export async function createTlsIdentity(options: TlsIdentityOptions): Promise<TlsIdentity> {
  const { collect, withEndorsements = true, now = () => new Date() } = options;
  const lifetime = options.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS;
  if (!(Number.isInteger(lifetime) && lifetime >= 60 && lifetime <= 604_800))
    throw new FastnessError('CHANNEL_TLS_OPTION', 'lifetimeSeconds must be 60 to 604800.');
  const { spki, privateKey } = options.key ?? createTlsKey();
  const releaseDigest = options.releaseDigest ?? (await noReleaseDigest());
  const make = async (): Promise<TlsCertificate & { readonly renewAt: number }> => {
    // Dates in certificates are whole seconds.
    const start = Math.floor((now().getTime() - Math.min(BACKDATED_MS, lifetime * 250)) / 1000) * 1000;
    const dates = { notBefore: new Date(start), notAfter: new Date(start + lifetime * 1000) };
    const serial = positiveSerial();
    const { evidence, endorsements } = await collect({
      purpose: 'tls-certificate',
      nonce: await tlsCertificateNonceOf({ serial, ...dates }),
      keyConfigDigest: await tlsKeyDigestOf(spki),
      releaseDigest,
    });
    const extension = encodeEvidenceExtension({ evidence, endorsements: withEndorsements ? endorsements : [] });
    const raw = writeCertificate({ spki, serial, ...dates, extension, privateKey });
    if (raw.length > MAX_CERTIFICATE_BYTES)
      throw new FastnessError(
        'CHANNEL_TLS_CERTIFICATE_TOO_LARGE',
        `${raw.length} bytes; at most ${MAX_CERTIFICATE_BYTES}.`,
      );
    const pem = encodePem(raw, 'CERTIFICATE');
    return { pem, raw, notAfter: dates.notAfter, renewAt: start + lifetime * 500 };
  };
  let current = await make();
  let pending: Promise<TlsCertificate> | undefined;
  const renew = async (): Promise<TlsCertificate> => (current = await make());
  return {
    spki,
    releaseDigest,
    collect,
    key: privateKey,
    certificate: async () => {
      if (now().getTime() < current.renewAt) return current;
      pending ??= renew().finally(() => (pending = undefined));
      return pending;
    },
  };
}
