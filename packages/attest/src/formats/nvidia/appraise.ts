import { equalBytes, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, Checklist } from '../../checks.ts';
import type { NvidiaGpuPolicy, NvidiaNvswitchPolicy } from '../../policy/nvidia.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { appraiseGpu } from './appraise-gpu.ts';
import { claimsOf } from './claims.ts';
import { NONCE_BYTES } from './layout.ts';
import { compareMeasurements } from './measurements.ts';
import { AuthenticReport } from './stages.ts';
import { wantedRims } from './rim/ids.ts';

/**
 * Applies a policy to an authentic report.
 *
 * `expectedReportData` is the nonce of the request, 32 bytes: the device signs the request with its answer. It is compared
 * first of all, because a report for another session answers no question of this one. A report does not say in which machine
 * the device sits: what ties it to a processor is that the processor's evidence carries the digest of the device evidence.
 *
 * Throws the NVIDIA_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export function appraise(
  authentic: AuthenticReport,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticReport.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const { kind, report, device, rims } = authentic;
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  const expected = options.expectedReportData;
  if (!(expected instanceof Uint8Array) || expected.length !== NONCE_BYTES) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `expectedReportData must be ${NONCE_BYTES} bytes.`);
  }
  checks.require('NVIDIA_NONCE_MISMATCH', equalBytes(report.nonce, expected), {
    expected: toHex(expected),
    actual: toHex(report.nonce),
  });
  checks.require('NVIDIA_DEVICE_INSECURE', !device.insecure, {
    expected: 'a leaf without the flags debug, recovery and not secure',
    actual: device.insecure ? 'one of them' : 'none of them',
  });
  const section = sectionOf(policy, kind.section);
  appraiseDevice(authentic, section, checks);
  const debug = kind.section === 'nvidiaGpu' && appraiseGpu(authentic, sectionOf(policy, kind.section), checks);
  appraiseFirmware(authentic, section, checks);
  const complete = rims.length === wantedRims(report, device.chip).length;
  const uncovered = compareMeasurements(report, rims, complete, checks);
  const { measurements } = section;
  if (measurements === undefined) checks.notApplicable('NVIDIA_MEASUREMENT_NOT_ALLOWED', 'the policy lists none');
  else {
    checks.require('NVIDIA_MEASUREMENT_NOT_ALLOWED', measurements.includes(authentic.measurement), {
      expected: anyOf(measurements),
      actual: authentic.measurement,
    });
  }
  return verdictOf(claimsOf(authentic, { debug, uncovered }), checks, policy);
}

function appraiseDevice(
  { device }: AuthenticReport,
  { devices }: NvidiaGpuPolicy | NvidiaNvswitchPolicy,
  checks: Checklist,
): void {
  const { allow, deny } = devices ?? {};
  if (allow === undefined) checks.notApplicable('NVIDIA_DEVICE_NOT_ALLOWED', 'the policy lists none');
  else {
    const actual = device.id;
    checks.require('NVIDIA_DEVICE_NOT_ALLOWED', allow.includes(actual), { expected: anyOf(allow), actual });
  }
  if (deny === undefined) checks.notApplicable('NVIDIA_DEVICE_DENIED', 'the policy lists none');
  else {
    checks.require('NVIDIA_DEVICE_DENIED', !deny.includes(device.id), {
      expected: `none of ${anyOf(deny)}`,
      actual: device.id,
    });
  }
}

function appraiseFirmware(
  { report }: AuthenticReport,
  { vbiosVersions }: NvidiaGpuPolicy | NvidiaNvswitchPolicy,
  checks: Checklist,
): void {
  const { allow, deny = [] } = vbiosVersions ?? {};
  const actual = report.vbiosVersion;
  if (vbiosVersions === undefined) checks.notApplicable('NVIDIA_VBIOS_NOT_ALLOWED', 'the policy lists none');
  else {
    checks.require('NVIDIA_VBIOS_NOT_ALLOWED', (allow ?? [actual]).includes(actual) && !deny.includes(actual), {
      expected: `${allow === undefined ? 'any' : anyOf(allow)}${deny.length === 0 ? '' : `, but not ${anyOf(deny)}`}`,
      actual,
    });
  }
}
