import { equalBytes } from '../bytes/bytes.ts';
import { FastnessError } from '../errors/index.ts';
import type { Certificate, Crl } from './types.ts';

/** Checks a certificate's dates, both included. @throws X509_NOT_YET_VALID, X509_EXPIRED */
export function checkValidity(certificate: Certificate, now: Date): void {
  const where = certificate.subject.commonName ?? 'unnamed';
  const time = instant(now);
  if (time < certificate.notBefore.getTime()) {
    throw new FastnessError('X509_NOT_YET_VALID', `${where}, from ${certificate.notBefore.toISOString()}.`);
  }
  // The last second counts in full: DER dates have no fractions.
  if (time >= certificate.notAfter.getTime() + 1000) {
    throw new FastnessError('X509_EXPIRED', `${where}, until ${certificate.notAfter.toISOString()}.`);
  }
}

/**
 * Checks that a revocation list is current. A list without a next update is refused: it could be of any age.
 * @throws X509_CRL_NOT_YET_VALID, X509_CRL_NO_NEXT_UPDATE, X509_CRL_STALE
 */
export function checkCrlWindow(crl: Crl, now: Date): void {
  const time = instant(now);
  if (time < crl.thisUpdate.getTime()) {
    throw new FastnessError('X509_CRL_NOT_YET_VALID', `From ${crl.thisUpdate.toISOString()}.`);
  }
  if (crl.nextUpdate === undefined) throw new FastnessError('X509_CRL_NO_NEXT_UPDATE');
  if (time >= crl.nextUpdate.getTime() + 1000) {
    throw new FastnessError('X509_CRL_STALE', `Until ${crl.nextUpdate.toISOString()}.`);
  }
}

/**
 * Checks that the list does not name the certificate. Meaningful only for a list that `verifySignedBy` and
 * `checkCrlWindow` accepted. Every entry counts as revoked, whatever its date and reason.
 * @throws X509_ISSUER_NAME when the list is another issuer's, X509_REVOKED
 */
export function checkNotRevoked(certificate: Certificate, crl: Crl): void {
  if (!equalBytes(certificate.issuer.raw, crl.issuer.raw)) {
    throw new FastnessError('X509_ISSUER_NAME', 'The list is from another issuer.');
  }
  const entry = crl.revoked.find(({ serial }) => equalBytes(serial, certificate.serial));
  if (entry !== undefined) {
    const reason = entry.reason === undefined ? '' : `, reason ${entry.reason}`;
    throw new FastnessError('X509_REVOKED', `Since ${entry.date.toISOString()}${reason}.`);
  }
}

function instant(now: Date): number {
  const time = now.getTime();
  if (Number.isNaN(time)) throw new FastnessError('CODEC_VALUE', 'The time to check at is no date.');
  return time;
}
