import { equalBytes, toHex } from '@fastness/codec';
import type { Certificate, Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { nameOf } from '../../signatures.ts';
import { isoOf } from '../../time.ts';

/** Requires a list and that it is the issuer's own. Its signature is verified apart. */
export function requireCrl(crl: Crl | undefined, issuer: Certificate, checks: Checklist): void {
  const expected = `the revocation list of ${nameOf(issuer)}`;
  checks.requireUnlessWaived('DCAP_CRL_MISSING', crl !== undefined, {
    expected,
    actual: crl === undefined ? 'none' : 'a list',
  });
  if (crl === undefined) return;
  checks.require('DCAP_CRL_ISSUER', equalBytes(crl.issuer.raw, issuer.subject.raw), {
    expected,
    actual: `a list of ${crl.issuer.commonName ?? 'nobody'}`,
  });
}

/** Checks the window of a list and looks up the certificates that its issuer issued. */
export function checkRevocation(
  crl: Crl | undefined,
  certificates: readonly Certificate[],
  now: Date,
  checks: Checklist,
): void {
  if (crl === undefined) {
    for (const code of ['DCAP_CRL_NOT_YET_VALID', 'DCAP_CRL_EXPIRED', 'DCAP_CERTIFICATE_REVOKED'] as const) {
      checks.notApplicable(code, 'no revocation list; its absence is waived');
    }
    return;
  }
  const actual = isoOf(now);
  const { thisUpdate, nextUpdate } = crl;
  checks.require('DCAP_CRL_NOT_YET_VALID', thisUpdate <= now, {
    expected: `at or after ${isoOf(thisUpdate)}`,
    actual,
  });
  checks.requireUnlessWaived(
    'DCAP_CRL_EXPIRED',
    nextUpdate !== undefined && now.getTime() < nextUpdate.getTime() + 1000,
    {
      expected: nextUpdate === undefined ? 'a list that says when it expires' : `until ${isoOf(nextUpdate)}`,
      actual,
    },
  );
  const revoked = revokedBy(crl);
  const hit = certificates.find(({ serial }) => revoked.has(toHex(serial)));
  checks.require('DCAP_CERTIFICATE_REVOKED', hit === undefined, {
    expected: 'none of the certificates on the list',
    actual: hit === undefined ? `${revoked.size} revoked serials` : `${nameOf(hit)}, serial ${toHex(hit.serial)}`,
  });
}

const known = new WeakMap<Crl, ReadonlySet<string>>();

/** The serial numbers on a list, hex. Intel's lists are long, and a parsed list does not change. */
function revokedBy(crl: Crl): ReadonlySet<string> {
  const serials = known.get(crl) ?? new Set(crl.revoked.map(({ serial }) => toHex(serial)));
  known.set(crl, serials);
  return serials;
}
