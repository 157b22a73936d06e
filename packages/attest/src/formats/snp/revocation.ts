import { equalBytes, toHex } from '@fastness/codec';
import type { Crl } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { isoOf } from '../../time.ts';
import type { Chain } from './certificates.ts';

/**
 * Revocation under the ARK. AMD publishes one list per product at the VCEK and the VLEK endpoint; a list revokes
 * intermediates by serial number. VCEKs and VLEKs have the serial number 0, so a list that held it would revoke them all;
 * they are looked up like the rest. Every list that the root issued counts; the latest must be current.
 *
 * Not protected against: a revocation that happened after the latest list which the host chose to send was issued.
 */
export interface CrlSelection {
  /** Lists whose issuer is the root by name; their signatures are not verified yet. Latest first. */
  readonly issued: readonly Crl[];
  /** Names of the issuers of the other lists. */
  readonly foreign: readonly string[];
}

export function selectCrls(crls: readonly Crl[], chain: Chain): CrlSelection {
  const ofRoot = (crl: Crl) => equalBytes(crl.issuer.raw, chain.ark.subject.raw);
  return {
    issued: crls.filter(ofRoot).toSorted((a, b) => b.thisUpdate.getTime() - a.thisUpdate.getTime()),
    foreign: crls.filter((crl) => !ofRoot(crl)).map((crl) => crl.issuer.commonName ?? 'without a name'),
  };
}

/** Requires a list of this root. Its signature must already have been checked by the caller or be checked after. */
export function requireCrl(selection: CrlSelection, chain: Chain, checks: Checklist): void {
  const expected = `a list issued by ${chain.ark.subject.commonName ?? ''}`;
  if (selection.issued.length === 0 && selection.foreign.length === 0) {
    checks.requireUnlessWaived('SNP_CRL_MISSING', false, { expected, actual: 'none' });
    return;
  }
  checks.require('SNP_CRL_MISSING', true, {
    expected,
    actual: `${selection.issued.length + selection.foreign.length}`,
  });
  checks.require('SNP_CRL_ISSUER', selection.issued.length > 0, {
    expected,
    actual: selection.issued.length > 0 ? expected : `lists issued by ${selection.foreign.join(', ')}`,
  });
}

/** Checks the window of the latest list and looks every certificate of the chain up in all of them. */
export function checkRevocation(selection: CrlSelection, chain: Chain, now: Date, checks: Checklist): void {
  const [latest] = selection.issued;
  if (latest === undefined) {
    for (const code of [
      'SNP_CRL_SIGNATURE',
      'SNP_CRL_NOT_YET_VALID',
      'SNP_CRL_EXPIRED',
      'SNP_CERTIFICATE_REVOKED',
    ] as const) {
      checks.notApplicable(code, 'no revocation list; its absence is waived');
    }
    return;
  }
  const actual = isoOf(now);
  checks.require('SNP_CRL_NOT_YET_VALID', latest.thisUpdate <= now, {
    expected: `at or after ${isoOf(latest.thisUpdate)}`,
    actual,
  });
  const { nextUpdate } = latest;
  checks.requireUnlessWaived(
    'SNP_CRL_EXPIRED',
    nextUpdate !== undefined && now.getTime() < nextUpdate.getTime() + 1000,
    {
      expected: nextUpdate === undefined ? 'a list that says when it expires' : `at or before ${isoOf(nextUpdate)}`,
      actual,
    },
  );
  const serials = [chain.ark, chain.intermediate, chain.leaf].map((certificate) => serialOf(certificate.serial));
  const revoked = selection.issued.flatMap((crl) => crl.revoked.map((entry) => serialOf(entry.serial)));
  const hit = serials.find((serial) => revoked.includes(serial));
  checks.require('SNP_CERTIFICATE_REVOKED', hit === undefined, {
    expected: `none of the serials ${serials.join(', ')} on the list`,
    actual: hit ?? `${revoked.length} revoked serials`,
  });
}

/** Hex without leading zeros, so that two encodings of one number compare equal. */
function serialOf(serial: Uint8Array): string {
  return toHex(serial).replace(/^0+(?=.)/, '');
}
