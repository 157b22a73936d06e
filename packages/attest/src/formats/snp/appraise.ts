import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, Checklist } from '../../checks.ts';
import type { SnpClaims } from '../../claims/snp.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseGuestPolicy } from './appraise-guest.ts';
import { appraisePlatform } from './appraise-platform.ts';
import { reportLayout } from './layout.ts';
import { AuthenticReport } from './stages.ts';

/**
 * Applies a policy to an authentic report. `expectedReportData` (64 bytes) is what the enclave must have bound; it is
 * compared first of all, because a report for another session answers no question of this one.
 * Throws the SNP_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export function appraise(
  authentic: AuthenticReport,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticReport.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'snp');
  const measurements = filledIn(policy, section.measurements);
  const expected = checkReportDataArgument(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const { report } = authentic;

  checks.require('SNP_REPORT_DATA_MISMATCH', report.reportData === expected, { expected, actual: report.reportData });
  checks.require('SNP_MEASUREMENT_NOT_ALLOWED', measurements.includes(report.measurement), {
    expected: anyOf(measurements),
    actual: report.measurement,
  });
  appraiseGuestPolicy(authentic, section, checks);
  appraisePlatform(authentic, section, checks);

  return verdictOf(claimsOf(authentic), checks, policy);
}

function checkReportDataArgument(expected: Uint8Array): string {
  if (!(expected instanceof Uint8Array) || expected.length !== reportLayout.reportData.bytes) {
    throw new FastnessError(
      'ATTEST_ARGUMENT_INVALID',
      `expectedReportData must be ${reportLayout.reportData.bytes} bytes.`,
    );
  }
  return toHex(expected);
}

function claimsOf(authentic: AuthenticReport): SnpClaims {
  const { report, simulated } = authentic;
  return Object.freeze({
    tee: 'sev-snp',
    simulated,
    vendor: simulated ? 'simulated' : 'AMD',
    product: authentic.product.name,
    reportVersion: report.version,
    signingKey: authentic.signingKey,
    identity: authentic.identity,
    measurement: report.measurement,
    vmpl: report.vmpl,
    debug: report.policy.debugAllowed,
    migratable: report.policy.migrationAgentAllowed,
    smtAllowed: report.policy.smtAllowed,
    smtEnabled: report.platform.smtEnabled,
    aliasCheckComplete: report.platform.aliasCheckComplete,
    policyBits: bits(report.policy.bits),
    platformBits: bits(report.platform.bits),
    guestSvn: report.guestSvn,
    tcb: authentic.tcb,
    firmware: report.firmware,
    ...(report.mitigations === undefined
      ? {}
      : {
          mitigations: Object.freeze({
            launch: bits(report.mitigations.launch),
            current: bits(report.mitigations.current),
          }),
        }),
    reportData: report.reportData,
    hostData: report.hostData,
    idKeyDigest: report.idKeyDigest,
    authorKeyDigest: report.authorKeyDigest,
    familyId: report.familyId,
    imageId: report.imageId,
    reportId: report.reportId,
    verifiedAt: new Date(authentic.at).toISOString(),
  });
}

/** 64 bits in big-endian hex. */
function bits(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
