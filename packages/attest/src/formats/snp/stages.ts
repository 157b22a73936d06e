import { FastnessError } from '@fastness/codec/errors';
import type { AuthenticFields, AuthenticReport, ParsedFields, ParsedReport } from './report.ts';

/**
 * The types keep an unauthenticated report from reaching a policy; this keeps plain JavaScript from doing so. A value
 * counts as parsed or authentic only if the stage that makes such values registered it here.
 */

/** What the signature is checked against. Kept apart from the parsed fields, so that no caller can exchange it. */
export interface SignedReport {
  /** The bytes that the signature covers. */
  readonly message: Uint8Array<ArrayBuffer>;
  /** r and s, big-endian, 48 bytes each. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

const parsedReports = new WeakMap<ParsedReport, SignedReport>();
const authenticReports = new WeakSet<AuthenticReport>();

export function markParsed(fields: ParsedFields, signed: SignedReport): ParsedReport {
  const report = Object.freeze({ ...fields }) as ParsedReport;
  parsedReports.set(report, signed);
  return report;
}

export function markAuthentic(fields: AuthenticFields): AuthenticReport {
  const report = Object.freeze({ ...fields }) as AuthenticReport;
  authenticReports.add(report);
  return report;
}

/** Throws ATTEST_STAGE_SKIPPED when `report` does not come from `parse`. */
export function signedPartOf(report: ParsedReport): SignedReport {
  const signed = parsedReports.get(report);
  if (signed === undefined) throw new FastnessError('ATTEST_STAGE_SKIPPED', 'The report does not come from parse().');
  return signed;
}

/** Throws ATTEST_STAGE_SKIPPED when `report` does not come from `authenticate`. */
export function requireAuthentic(report: AuthenticReport): void {
  if (!authenticReports.has(report))
    throw new FastnessError('ATTEST_STAGE_SKIPPED', 'The report does not come from authenticate().');
}
