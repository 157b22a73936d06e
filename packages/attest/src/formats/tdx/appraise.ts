import { anyOf, Checklist } from '../../checks.ts';
import type { TdxClaims } from '../../claims/dcap.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraisePlatform, expectedReportDataOf } from '../dcap/appraise-platform.ts';
import { AuthenticQuote } from '../dcap/stages.ts';
import { appraiseTd } from './appraise-td.ts';
import { tdAttributes, type TdBody } from './body.ts';
import { tdxFlavour } from './flavour.ts';

/**
 * Applies a policy to an authentic quote. `expectedReportData` (64 bytes) is compared first of all, because a quote for
 * another session answers no question of this one.
 * Throws the TDX_, DCAP_ or EVENT_LOG_ code of the first requirement that is not met, ATTEST_....
 */
export function appraise(
  authentic: AuthenticQuote<TdBody>,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticQuote.require(authentic, tdxFlavour);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'tdx');
  const measurements = filledIn(policy, section.measurements);
  const expected = expectedReportDataOf(options.expectedReportData);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const { body } = authentic;

  checks.require('TDX_REPORT_DATA_MISMATCH', body.reportData === expected, { expected, actual: body.reportData });
  checks.require('TDX_MEASUREMENT_NOT_ALLOWED', measurements.includes(body.mrTd), {
    expected: anyOf(measurements),
    actual: body.mrTd,
  });
  const eventLog = appraiseTd(body, authentic.eventLog, section, checks);
  appraisePlatform(authentic, section, checks);

  return verdictOf(claimsOf(authentic, eventLog), checks, policy);
}

function claimsOf(
  { body, version, pck, tcb, tcbEvaluationDataNumber, at }: AuthenticQuote<TdBody>,
  eventLog: TdxClaims['eventLog'],
): TdxClaims {
  return Object.freeze({
    tee: 'tdx',
    simulated: false,
    vendor: 'Intel',
    identity: Object.freeze({ kind: 'ppid', value: pck.ppid }),
    fmspc: pck.fmspc,
    quoteVersion: version,
    bodyKind: body.kind,
    measurement: body.mrTd,
    rtmrs: body.rtmrs,
    mrSeam: body.mrSeam,
    mrConfigId: body.mrConfigId,
    mrOwner: body.mrOwner,
    mrOwnerConfig: body.mrOwnerConfig,
    ...(body.mrServiceTd === undefined ? {} : { mrServiceTd: body.mrServiceTd }),
    debug: (body.tdAttributes & tdAttributes.debug) !== 0n,
    tdAttributes: bits(body.tdAttributes),
    xfam: bits(body.xfam),
    teeTcbSvn: body.teeTcbSvn,
    tcb: Object.freeze({ ...tcb, components: pck.components, pceSvn: pck.pceSvn, tcbEvaluationDataNumber }),
    ...(eventLog === undefined ? {} : { eventLog }),
    reportData: body.reportData,
    verifiedAt: new Date(at).toISOString(),
  });
}

/** 64 bits in big-endian hex. */
function bits(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
