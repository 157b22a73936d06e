import { equalBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { extensionOids, verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, type VerificationMeans } from '../../means.ts';

/**
 * Revocation above a token: a certificate that names a distribution point must have a list of its issuer sent along; every
 * list of an issuer in the chain counts, must be signed by it and current. Google names one for its intermediate alone, so
 * a leaf of Google that leaks counts until it ends (60 days), whatever is done here.
 *
 * Not protected against: a revocation after the list was issued that the host chose to send.
 */
export async function requireUnrevoked(
  chain: readonly Certificate[],
  { lists, now, means }: { readonly lists: readonly Crl[]; readonly now: Date; readonly means: VerificationMeans },
  checks: Checklist,
): Promise<void> {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer === undefined) continue;
    const issued = lists.filter((list) => equalBytes(list.issuer.raw, issuer.subject.raw));
    requireList(certificate, issued, checks);
    for (const list of issued) {
      await requireSigned(list, issuer, means, checks);
      requireCurrent(list, now, checks);
      const entry = list.revoked.find(({ serial }) => equalBytes(serial, certificate.serial));
      checks.require('TOKEN_CHAIN_REVOKED', entry === undefined, {
        expected: `${toHex(certificate.serial)} not listed`,
        actual: entry === undefined ? 'not listed' : `revoked on ${entry.date.toISOString()}`,
      });
    }
  }
}

function requireList(certificate: Certificate, issued: readonly Crl[], checks: Checklist): void {
  if (!certificate.extensions.has(extensionOids.crlDistributionPoints)) {
    checks.notApplicable('TOKEN_CRL_MISSING', 'the certificate names no list');
    return;
  }
  checks.requireUnlessWaived('TOKEN_CRL_MISSING', issued.length > 0, {
    expected: `a list of ${certificate.issuer.commonName ?? 'its issuer'}`,
    actual: `${issued.length} lists`,
  });
}

async function requireSigned(
  list: Crl,
  issuer: Certificate,
  means: VerificationMeans,
  checks: Checklist,
): Promise<void> {
  let actual = 'it did';
  try {
    await verifySignedBy(list, issuer, endorsementVerifier(means));
  } catch (error) {
    if (!(error instanceof FastnessError)) throw error;
    actual = error.code;
  }
  checks.require('TOKEN_CRL_SIGNATURE', actual === 'it did', {
    expected: `${issuer.subject.commonName ?? 'the issuer'} signed its list`,
    actual,
  });
}

/** A list that does not say when the next one comes could be of any age. */
function requireCurrent({ thisUpdate, nextUpdate }: Crl, now: Date, checks: Checklist): void {
  const current = nextUpdate !== undefined && thisUpdate <= now && now.getTime() < nextUpdate.getTime() + 1000;
  checks.require('TOKEN_CRL_WINDOW', current, {
    expected: `${thisUpdate.toISOString()} to ${nextUpdate?.toISOString() ?? 'a date that is missing'}`,
    actual: now.toISOString(),
  });
}
