import { equalBytes, toHex } from '@fastness/codec';
import { extensionOids, type Certificate, type Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { nameOf } from '../../signatures.ts';
import type { AkChain } from './ak-chain.ts';

/**
 * Revocation above attestation keys. A certificate that names a distribution point can be revoked, so a current list of its
 * issuer is required; one that names none cannot, and is looked up in the lists of its issuer that came all the same. Google
 * and Azure publish a list of their root, which revokes intermediates, and none of the intermediates: attestation keys cannot
 * be revoked, and Google's certificates for them live for thirty years.
 *
 * Not protected against: a revocation that happened after the latest list which the host chose to send was issued.
 */
export interface IssuedLists {
  readonly issuer: Certificate;
  readonly child: Certificate;
  /** Whether `child` says where its issuer's list is. */
  readonly needed: boolean;
  /** Lists with the issuer's name; their signatures are verified apart. Latest first. */
  readonly lists: readonly Crl[];
}

/** The lists for each certificate below the root. */
export function selectAkLists({ root, intermediates, leaf }: AkChain, crls: readonly Crl[]): readonly IssuedLists[] {
  const chain = [root, ...intermediates, leaf];
  return chain.slice(1).map((child, index) => {
    const issuer = chain[index] ?? root;
    const lists = crls
      .filter((crl) => equalBytes(crl.issuer.raw, issuer.subject.raw))
      .toSorted((a, b) => b.thisUpdate.getTime() - a.thisUpdate.getTime());
    return { issuer, child, needed: child.extensions.has(extensionOids.crlDistributionPoints), lists };
  });
}

/** Requires the lists that are needed. Their signatures must be verified before they are looked into. */
export function requireAkLists(selection: readonly IssuedLists[], crls: readonly Crl[], checks: Checklist): void {
  for (const { issuer, child, needed, lists } of selection) {
    if (!needed) checks.notApplicable('TPM_AK_CRL_MISSING', `${nameOf(child)} names no revocation list`);
    else
      checks.requireUnlessWaived('TPM_AK_CRL_MISSING', lists.length > 0, {
        expected: `the revocation list of ${nameOf(issuer)}`,
        actual: lists.length > 0 ? 'a list' : `${crls.length} lists of others`,
      });
  }
}

/** Checks the window of each latest list and looks the certificates up in all of them. */
export function checkAkRevocation(selection: readonly IssuedLists[], now: Date, checks: Checklist): void {
  for (const { child, lists } of selection) {
    const [latest] = lists;
    if (latest === undefined) {
      for (const code of [
        'TPM_AK_CRL_SIGNATURE',
        'TPM_AK_CRL_NOT_YET_VALID',
        'TPM_AK_CRL_EXPIRED',
        'TPM_AK_CERTIFICATE_REVOKED',
      ] as const) {
        checks.notApplicable(code, `no revocation list for ${nameOf(child)}`);
      }
      continue;
    }
    checkWindow(latest, now, checks);
    const serial = toHex(child.serial);
    const revoked = new Set(lists.flatMap((crl) => crl.revoked.map((entry) => toHex(entry.serial))));
    checks.require('TPM_AK_CERTIFICATE_REVOKED', !revoked.has(serial), {
      expected: `serial ${serial} not on the list`,
      actual: revoked.has(serial) ? `${nameOf(child)} is on it` : `${revoked.size} revoked serials`,
    });
  }
}

function checkWindow({ thisUpdate, nextUpdate }: Crl, now: Date, checks: Checklist): void {
  const actual = now.toISOString();
  checks.require('TPM_AK_CRL_NOT_YET_VALID', thisUpdate <= now, {
    expected: `at or after ${thisUpdate.toISOString()}`,
    actual,
  });
  checks.requireUnlessWaived(
    'TPM_AK_CRL_EXPIRED',
    nextUpdate !== undefined && now.getTime() < nextUpdate.getTime() + 1000,
    {
      expected:
        nextUpdate === undefined ? 'a list that says when it expires' : `at or before ${nextUpdate.toISOString()}`,
      actual,
    },
  );
}
